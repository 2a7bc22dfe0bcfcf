"""The scoring index: one narrow row per candidate, and a pointer to the row with the pictures."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.database import database
from manifests.files import write_whole
from manifests.layout import RunFolder
from manifests.results import marked_parts
from manifests.schemas import INDEX, RESULTS
from manifests.tables import open_table, read_rows

POINTER = ("part", "row")
"""Columns of the index that say where a row lies; the others do not depend on how it was drawn."""

ROW_GROUP_ROWS = 2**17
"""So much is written at a time, and so much is read to find one request."""

_COPIED = [name for name in INDEX.names if name not in POINTER]


def build_index(folder: RunFolder) -> int:
    """Write the index of all finished shards, sorted by request and candidate; return its rows.

    The memory that it takes is bounded, whatever the size of the run: DuckDB sorts, and spills
    into the run folder what it cannot hold.

    Raises:
        ValueError: If a part that a marker lists is not whole or of another version.
    """
    write_whole(folder.index, lambda hidden: _write_sorted(folder, hidden))
    return int(pq.read_metadata(folder.index).num_rows)


def _write_sorted(folder: RunFolder, path: Path) -> None:
    parts = marked_parts(folder)
    names = pa.array([str(part.relative_to(folder.path)) for part in parts], pa.string())
    broken: list[Exception] = []  # DuckDB would wrap what is raised in its reader into its own
    unsorted = pa.RecordBatchReader.from_batches(_UNSORTED, _narrow_rows(parts, broken))
    most = min(ROW_GROUP_ROWS, sum(parts.values()))
    with database(folder.path) as connection, _index_writer(path, most) as writer:
        connection.register("unsorted", unsorted)
        query = "select * from unsorted order by request_id, candidate, part, row"
        for batch in connection.sql(query).to_arrow_reader(ROW_GROUP_ROWS):
            writer.write_table(_with_names(pa.table(batch), names))
    if broken:
        raise broken[0]


_UNSORTED = pa.schema([
    *[RESULTS.field(name) for name in _COPIED],
    pa.field("part", pa.int32()),
    pa.field("row", pa.int32()),
])  # fmt: skip
"""The index while it is sorted, its parts by number."""


def _narrow_rows(parts: Iterable[Path], broken: list[Exception]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the parts; end at one that cannot be read, and put down why."""
    try:
        for number, part in enumerate(parts):
            table = read_rows(part, RESULTS, _COPIED).select(_COPIED)
            pointers = pa.array([number] * len(table)), pa.array(range(len(table)))
            for name, column in zip(POINTER, pointers, strict=True):
                table = table.append_column(name, column)
            yield from table.cast(_UNSORTED).to_batches()
    except (ValueError, OSError) as error:
        broken.append(error)


def _with_names(table: pa.Table, names: pa.Array) -> pa.Table:
    """Return rows of the index whose parts are called by their names."""
    place = table.schema.get_field_index("part")
    table = table.set_column(place, "part", names.take(table["part"].combine_chunks()))
    return table.select(INDEX.names).cast(INDEX)


def _index_writer(path: Path, most: int) -> pq.ParquetWriter:
    """Return a writer whose row groups hold at most so many requests."""
    return pq.ParquetWriter(
        path,
        INDEX,
        compression="zstd",
        bloom_filter_options={"request_id": {"ndv": max(1, most)}},
        write_page_index=True,
    )


def rows_of(
    folder: RunFolder, keys: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the index rows of the candidates that have a picture, by request and candidate.

    Raises:
        ValueError: If there is no index yet.
    """
    require_index(folder)
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


def require_index(folder: RunFolder) -> None:
    """Refuse a run that has no index yet, or one of another version.

    Raises:
        ValueError: Then.
    """
    if not folder.index.is_file():
        raise ValueError(f"{folder.path} has no index yet; run `fundiff index {folder.path}`")
    open_table(folder.index, INDEX).close()


def load_pictures(folder: RunFolder, part: str, row: int) -> tuple[bytes | None, bytes | None]:
    """Return the PNG files of stage I and stage II that an index row points to.

    Args:
        folder: The run.
        part: Column `part` of the index.
        row: Column `row` of the index.
    """
    found = load_columns(folder, part, row, ["stage_1_image", "image"])
    first, second = found["stage_1_image"], found["image"]
    return first and first["bytes"], second and second["bytes"]


def load_columns(folder: RunFolder, part: str, row: int, columns: list[str]) -> dict[str, Any]:
    """Return some columns of the row of the results that an index row points to."""
    with open_table(folder.path / part, RESULTS) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if start <= row < stop:
                table = file.read_row_group(group, columns=columns)
                return dict(table.slice(row - start, 1).to_pylist()[0])
            start = stop
    raise ValueError(f"{part} has no row {row}; the index is older than the results")


def same_rows(a: Path, b: Path) -> bool:
    """Return whether two indexes hold the same rows to the bit, pointers and shards aside."""
    columns = [name for name in INDEX.names if name not in (*POINTER, "shard")]
    first, second = (pq.read_table(path, columns=columns) for path in (a, b))
    return bool(first.equals(second))
