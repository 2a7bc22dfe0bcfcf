"""The index as a file, and questions asked of it by DuckDB."""

import duckdb
import pyarrow.parquet as pq
import pytest

from manifests.index import build_index, load_pictures, top
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.results import Marker, collect, publish_marker, write_part
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
