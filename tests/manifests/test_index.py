"""The index as a file, and questions asked of it by DuckDB."""

import random

import duckdb
import pyarrow.parquet as pq
import pytest

from manifests.index import POINTER, build_index, load_pictures
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.ranking import top
from manifests.results import Marker, collect, publish_marker, read_rows, write_part
from manifests.schemas import INDEX
from manifests.tables import open_table
from tests.manifests.rows import candidate, request


def run_of(path, **fields) -> str:
    """Make a run of one finished request with two candidates; return its id."""
    folder = RunFolder(path)
    folder.create()
    asked = request(**fields)
    write_manifest([asked], folder.manifest)
    write_part(folder, 0, "a", [candidate(asked.request_id, number) for number in (1, 0)])
    files, keys = collect(folder, 0)
    publish_marker(folder, Marker(0, "a", files, len(keys)))
    build_index(folder)
    return asked.request_id


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[x]b", "it's", "a$b", "ä b"])
def test_a_run_is_read_by_its_own_name_and_not_as_a_pattern(tmp_path, name):
    """DuckDB would take `a*b` for every folder that fits, so a neighbour's rows came along."""
    run_of(tmp_path / "axb", seed=1)
    own = run_of(tmp_path / name, seed=2)
    assert {row["request_id"] for row in top(RunFolder(tmp_path / name), 9)} == {own}


def test_a_request_is_found_by_a_bloom_filter(tmp_path):
    """A look-up in an index of millions touches only the row groups that may hold the request."""
    run_of(tmp_path)
    columns = pq.read_metadata(RunFolder(tmp_path).index).row_group(0)
    lengths = {
        columns.column(i).path_in_schema: columns.column(i).bloom_filter_length
        for i in range(columns.num_columns)
    }
    assert lengths.pop("request_id")
    assert not any(lengths.values())


def test_the_index_holds_no_pictures(tmp_path):
    """A row costs tens of bytes and not tens of thousands."""
    run_of(tmp_path)
    names = pq.read_schema(RunFolder(tmp_path).index).names
    assert not {"image", "stage_1_image"} & set(names)


def finish(folder: RunFolder, shard: int, *parts: list) -> None:
    """Mark a shard as done, with a part for each of these lists of candidates."""
    for rows in parts:
        write_part(folder, shard, "a", rows)
    files, keys = collect(folder, shard)
    publish_marker(folder, Marker(shard, "a", files, len(keys)))


def many(folder: RunFolder, count: int) -> list:
    """Finish four shards that share their requests, rows in no order; return all candidates."""
    shuffled = random.Random(0)
    keys = [(f"{n % 97:016x}", n // 97) for n in range(count)]
    shuffled.shuffle(keys)
    rows = [
        candidate(
            *key, stage=shuffled.randrange(3), score=shuffled.choice([None, shuffled.random()])
        )
        for key in keys
    ]
    for shard in range(4):
        own = rows[shard::4]
        finish(folder, shard, own[::2], own[1::2])
    return rows


def test_the_index_is_sorted_whatever_shards_hold(tmp_path, monkeypatch):
    """In several row groups, and though the shards share their requests."""
    monkeypatch.setattr("manifests.index.ROW_GROUP_ROWS", 2048)
    folder = RunFolder(tmp_path)
    folder.create()
    rows = many(folder, 5000)
    assert build_index(folder) == 5000
    with open_table(folder.index, INDEX) as file:
        assert file.num_row_groups == 3
    index = pq.read_table(folder.index).to_pylist()
    expected = sorted(rows, key=lambda row: (row.request_id, row.candidate))
    names = [name for name in INDEX.names if name not in POINTER]
    assert [{name: row[name] for name in names} for row in index] == [
        {name: getattr(row, name) for name in names} for row in expected
    ]


def test_every_row_of_the_index_points_to_its_own_candidate(tmp_path):
    """Also where the candidates of a request lie in several shards."""
    folder = RunFolder(tmp_path)
    folder.create()
    many(folder, 400)
    build_index(folder)
    parts: dict[str, list] = {}
    for row in pq.read_table(folder.index).to_pylist():
        if row["part"] not in parts:
            parts[row["part"]] = list(read_rows([folder.path / row["part"]]))
        found = parts[row["part"]][row["row"]]
        assert (found.request_id, found.candidate) == (row["request_id"], row["candidate"])
    assert len(parts) == 8


def test_what_does_not_fit_into_memory_is_sorted_on_disk(tmp_path, monkeypatch):
    """And nothing of it is left in the run folder."""
    folder = RunFolder(tmp_path)
    folder.create()
    rows = [candidate(f"{n * 7919 % 100_003:016x}", 0, reason="x" * 200) for n in range(40_000)]
    finish(folder, 0, rows)
    monkeypatch.setattr("manifests.database.MEMORY_LIMIT", "24MB")
    before = {path.name for path in tmp_path.iterdir()}
    assert build_index(folder) == 40_000
    ids = pq.read_table(folder.index, columns=["request_id"])["request_id"].to_pylist()
    assert ids == sorted(row.request_id for row in rows)
    assert {path.name for path in tmp_path.iterdir()} == before | {"index.parquet"}


def test_the_index_says_what_it_is_and_what_its_columns_are(tmp_path):
    """Table, version and descriptions, however it was sorted."""
    run_of(tmp_path)
    schema = pq.read_schema(RunFolder(tmp_path).index)
    assert schema.equals(INDEX, check_metadata=True)


def test_the_index_has_a_page_index(tmp_path):
    """So that a reader takes the pages that it needs."""
    run_of(tmp_path)
    group = pq.read_metadata(RunFolder(tmp_path).index).row_group(0)
    assert all(group.column(i).has_offset_index for i in range(group.num_columns))


def test_a_torn_part_is_named_and_leaves_the_index_that_was_there(tmp_path):
    """In one line, though it is DuckDB that reads."""
    run_of(tmp_path)
    folder = RunFolder(tmp_path)
    before = folder.index.read_bytes()
    (part,) = folder.shard(0).iterdir()
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"^{part} is no whole Parquet file: [^\n]*$"):
        build_index(folder)
    assert folder.index.read_bytes() == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_part_of_another_version_is_refused(tmp_path):
    """It may lack a column, or mean another thing by it."""
    run_of(tmp_path)
    (part,) = RunFolder(tmp_path).shard(0).iterdir()
    table = pq.read_table(part)
    old = {**table.schema.metadata, b"schema_version": b"1"}
    pq.write_table(table.replace_schema_metadata(old), part)
    with pytest.raises(ValueError, match="has schema_version 1"):
        build_index(RunFolder(tmp_path))


def test_an_index_of_another_version_is_refused(tmp_path):
    """It is to be built again."""
    run_of(tmp_path)
    path = RunFolder(tmp_path).index
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"fundiff_table": b"index"}), path)
    with pytest.raises(ValueError, match="build it again"):
        top(RunFolder(tmp_path), 1)


def test_a_run_without_candidates_has_an_empty_index(tmp_path):
    """Nothing is finished yet, and nothing fails."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    write_manifest([request()], folder.manifest)
    assert build_index(folder) == 0
    assert top(folder, 3) == []


def test_a_run_without_index_says_how_to_get_one(tmp_path):
    """One line with the command."""
    with pytest.raises(ValueError, match="has no index yet; run `fundiff index"):
        top(RunFolder(tmp_path), 1)


def test_a_pointer_past_the_end_is_named(tmp_path):
    """An index that is older than its results."""
    run_of(tmp_path)
    (row, _) = pq.read_table(RunFolder(tmp_path).index, columns=["part"]).to_pylist()
    with pytest.raises(ValueError, match="has no row 2; the index is older"):
        load_pictures(RunFolder(tmp_path), row["part"], 2)


def test_duckdb_reads_results_and_manifest_as_they_are(tmp_path):
    """For who wants SQL over the pictures' own files."""
    own = run_of(tmp_path)
    query = "select distinct request_id, octet_length(image.bytes) from '{}/*/part-*.parquet'"
    rows = duckdb.sql(query.format(RunFolder(tmp_path).results)).fetchall()
    assert rows == [(own, len(b"large"))]
