"""The scoring index: one narrow row per candidate, and a pointer to the row with the pictures."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import write_whole
from manifests.layout import RunFolder
from manifests.results import markers
from manifests.schemas import INDEX, MANIFEST, RESULTS
from manifests.tables import open_table, read_rows

POINTER = ("part", "row")
"""Columns of the index that say where a row lies; the others do not depend on how it was drawn."""


def build_index(folder: RunFolder) -> int:
    """Write the index of all finished shards, sorted by request and candidate; return its rows."""
    tables = [INDEX.empty_table(), *_parts(folder)]
    table = pa.concat_tables(tables).sort_by(
        [("request_id", "ascending"), ("candidate", "ascending")]
    )
    write_whole(
        folder.index,
        lambda hidden: pq.write_table(
            table,
            hidden,
            compression="zstd",
            bloom_filter_options={"request_id": True},
            row_group_size=2**20,
        ),
    )
    return int(table.num_rows)


def _parts(folder: RunFolder) -> Iterator[pa.Table]:
    columns = [name for name in INDEX.names if name not in POINTER]
    for marker in markers(folder):
        for file in marker.files:
            path = folder.shard(marker.shard) / file.name
            table = read_rows(path, RESULTS, columns)
            part = str(path.relative_to(folder.path))
            rows = pa.array(range(table.num_rows), pa.int32())
            table = table.append_column("part", pa.array([part] * table.num_rows))
            table = table.append_column("row", rows)
            yield table.select(INDEX.names).cast(INDEX)


def top(
    folder: RunFolder,
    n: int,
    kind: str | None = None,
    tag: str | None = None,
    status: str | None = None,
    request_id: str | None = None,
) -> list[dict[str, Any]]:
    """Return the best n candidates of every request, best request first.

    Args:
        folder: A run with an index.
        n: Candidates per request.
        kind: Only requests of this kind.
        tag: Only requests with this tag.
        status: Only candidates with this status.
        request_id: Only this request.

    Returns:
        Rows of the index with `rank` and the request's prompts, views, style and tags. Candidates
        that went through stage II come before those that did not.

    Raises:
        ValueError: If there is no index yet, or a filter leaves nothing.
    """
    import duckdb

    _require_index(folder)
    query = """
        with ranked as (
            select *, row_number() over (
                partition by request_id order by stage desc, score desc nulls last, candidate
            ) as rank
            from read_parquet($index)
            where stage > 0 and ($status is null or status = $status)
        )
        select ranked.*, prompts, views, style, tags
        from ranked join read_parquet($manifest) as requests using (request_id)
        where rank <= $n
            and ($kind is null or ranked.kind = $kind)
            and ($tag is null or list_contains(tags, $tag))
            and ($request_id is null or request_id = $request_id)
        order by first_value(ranked.score) over (
            partition by request_id order by rank
        ) desc nulls last, request_id, rank
    """
    values = {
        "index": _literal(folder.index),
        "manifest": _literal(folder.manifest),
        "n": n,
        "kind": kind,
        "tag": tag,
        "status": status,
        "request_id": request_id,
    }
    with duckdb.connect() as connection:
        cursor = connection.execute(query, values)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    asked = {"kind": kind, "tag": tag, "status": status, "request_id": request_id}
    if not rows and (given := {name: value for name, value in asked.items() if value}):
        words = ", ".join(f"{name} {value!r}" for name, value in given.items())
        raise ValueError(f"nothing in {folder.path} has {words}; {_what_there_is(folder)}")
    return rows


def _what_there_is(folder: RunFolder) -> str:
    """Return the kinds and tags of a run's requests, in words."""
    table = read_rows(folder.manifest, MANIFEST, ["kind", "tags"])
    tags = sorted({tag for row in table["tags"].to_pylist() for tag in row})
    return f"its kinds are {', '.join(sorted(set(table['kind'].to_pylist())))}, its tags {tags}"


def rows_of(
    folder: RunFolder, keys: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the index rows of the candidates that have a picture, by request and candidate.

    Raises:
        ValueError: If there is no index yet.
    """
    _require_index(folder)
    wanted = list(keys)
    table = pq.read_table(
        folder.index,
        columns=["request_id", "candidate", "kind", "part", "row"],
        filters=[
            ("request_id", "in", {request_id for request_id, _ in wanted}),
            ("stage", ">", 0),
        ],
    )
    rows = {(row["request_id"], row["candidate"]): row for row in table.to_pylist()}
    return {key: rows[key] for key in wanted if key in rows}


def _require_index(folder: RunFolder) -> None:
    if not folder.index.is_file():
        raise ValueError(f"{folder.path} has no index yet; run `fundiff index {folder.path}`")


def _literal(path: Path) -> str:
    """Return a path in which DuckDB sees no pattern: `a*b` would also read `axb`."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def load_pictures(folder: RunFolder, part: str, row: int) -> tuple[bytes | None, bytes | None]:
    """Return the PNG files of stage I and stage II that an index row points to.

    Args:
        folder: The run.
        part: Column `part` of the index.
        row: Column `row` of the index.
    """
    with open_table(folder.path / part, RESULTS) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if start <= row < stop:
                table = file.read_row_group(group, columns=["stage_1_image", "image"])
                found = table.slice(row - start, 1).to_pylist()[0]
                first, second = found["stage_1_image"], found["image"]
                return first and first["bytes"], second and second["bytes"]
            start = stop
    raise ValueError(f"{part} has no row {row}; the index is older than the results")


def same_rows(a: Path, b: Path) -> bool:
    """Return whether two indexes hold the same rows to the bit, pointers and shards aside."""
    columns = [name for name in INDEX.names if name not in (*POINTER, "shard")]
    first, second = (pq.read_table(path, columns=columns) for path in (a, b))
    return bool(first.equals(second))
