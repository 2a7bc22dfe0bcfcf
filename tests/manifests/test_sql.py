"""SQL over a run: what can be asked, and what cannot be done."""

import re
import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.records import Score, Upscaled
from manifests.results import Marker, collect, publish_marker, write_draft, write_part
from manifests.schemas import INDEX, MANIFEST, PICKS, RESULTS, SCORES
from manifests.sql import ask, columns_of
from manifests.tables import write_table
from manifests.upscaled import write_upscaled
from tests.manifests.rows import candidate, png, request


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A run of one finished request, and of parts that no marker lists."""
    return make_run(tmp_path / "run")


def make_run(path) -> RunFolder:
    run = RunFolder(path)
    run.create()
    own = request(image=None)
    write_manifest([own], run.manifest)
    rows = [candidate(own.request_id, n, score=n / 4, image=png(n)) for n in range(3)]
    write_part(run, 0, "a", rows)
    files, keys = collect(run, 0)
    publish_marker(run, Marker(0, "a", files, len(keys)))
    write_part(run, 0, "zombie", [candidate("f" * 16)])
    write_draft(run, 0, "a", [candidate("e" * 16, status="drawn")])
    build_index(run)
    return run


def answer(folder: RunFolder, query: str) -> list[tuple]:
    with ask(folder, query) as found:
        return list(found.rows)


def test_candidates_requests_and_results_are_tables(folder):
    """The results follow the markers."""
    query = """
        select candidate, prompts[1], octet_length(results.image.bytes)
        from results join requests using (request_id) order by all
    """
    assert answer(folder, query) == [(n, "a skull", len(png(n).bytes)) for n in range(3)]
    with ask(folder, "select kind, max(score) as best from candidates group by all") as said:
        assert said.columns == ["kind", "best"]
        assert list(said.rows) == [("anagram", 0.5)]


def test_every_table_has_the_columns_of_its_schema(folder):
    """In their order."""
    add_more(folder)
    names = {"candidates": INDEX, "requests": MANIFEST, "results": RESULTS, "scores": SCORES}
    for name, schema in {**names, "picks": PICKS}.items():
        with ask(folder, f"from {name} limit 0") as said:
            assert said.columns == schema.names


def add_more(folder: RunFolder) -> None:
    """Add what comes later: another judge's scores, picks, large pictures."""
    nothing = [None] * 7
    for judge in ("clip", "siglip"):
        (folder.scores / judge).mkdir(parents=True)
        score = Score("a" * 16, 0, 2, 0.5, *nothing, (), judge)
        write_table([score], SCORES, folder.scores / judge / "part-0.parquet")
    pick = {"request_id": "a" * 16, "candidate": 1, "rating": 4, "rejected": False, "who": "ann",
            "at": datetime(2026, 1, 1, tzinfo=UTC)}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([pick], PICKS), folder.picks)
    folder.upscaled.mkdir()
    write_upscaled(folder, 0, [Upscaled("a" * 16, 1, 0, 1, 1, png(1), None, None, "m", "0")])


def test_what_came_later_is_a_table_once_it_is_there(folder):
    """Scores of all judges in one table."""
    with pytest.raises(ValueError, match="Table with name picks does not exist"):
        answer(folder, "from picks")
    add_more(folder)
    assert answer(folder, "select judge from scores order by all") == [("clip",), ("siglip",)]
    assert answer(folder, 'select who, rating, "at"::date::text from picks') == [
        ("ann", 4, "2026-01-01")
    ]
    assert answer(folder, "select candidate from upscaled") == [(1,)]


def test_the_columns_are_listed_with_what_they_mean(folder):
    """As the schemas describe them, for the tables that there are."""
    rows = list(columns_of(folder).rows)
    assert [row[:2] for row in rows] == [
        (table, name)
        for table, schema in (("candidates", INDEX), ("requests", MANIFEST), ("results", RESULTS))
        for name in schema.names
    ]
    assert ("candidates", "candidate", "int32", "Number of the try, from 0") in rows


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{out}'",
        "copy candidates to '{index}' (format parquet, use_tmp_file false)",
        "explain analyze copy candidates to '{index}' (format parquet, use_tmp_file false)",
        "export database '{out}'",
        "attach '{out}'",
        "create table x as select 1",
        "drop view candidates",
        "insert into candidates select * from candidates",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma enable_profiling",
        "call duckdb_settings()",
        "select 1; copy (select 1) to '{out}'",
        "select 1; select 2",
        "",
        "-- nothing",
    ],
)
def test_whatever_is_not_one_select_is_refused(folder, tmp_path, query):
    """In one line, and nothing in the run or beside it changes."""
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"so give one SELECT$") as error:
        answer(folder, query.format(out=tmp_path / "out", index=folder.index))
    assert "\n" not in str(error.value)
    after = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "query",
    [
        "from read_text('/etc/passwd')",
        "from read_csv('/etc/passwd')",
        "from '/etc/x.csv'",
        "from glob('/etc/*')",
        "from read_blob('{run}/run.json')",
        "from read_parquet('{run}/results/*/*.parquet')",
        "from read_parquet('{zombie}')",
        "from 'https://example.com/x.parquet'",
        "from query('from read_text(''/etc/passwd'')')",
    ],
)
def test_no_file_but_the_tables_own_is_read(folder, query):
    """Neither of the machine, nor of the run, nor of the net."""
    (zombie,) = folder.shard(0).glob("part-zombie-*.parquet")
    folder.run_json.write_text("{}")
    with pytest.raises(ValueError, match="Permission Error: Cannot access file") as error:
        answer(folder, query.format(run=folder.path, zombie=zombie))
    assert "\n" not in str(error.value)


def test_a_variable_of_the_program_is_no_table(folder):
    """DuckDB would look for one in Python."""
    secret = pa.table({"x": [1]})
    with pytest.raises(ValueError, match="Table with name secret does not exist"):
        answer(folder, "from secret")
    assert secret.num_rows == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("selec", 'Parser Error: syntax error at or near "selec"'),
        ("from candidats", 'name candidats does not exist! Did you mean "candidates'),
        ("select scor from candidates", '"scor" not found in FROM clause! Candidate bindings: '),
        ("select request_id::int from candidates", "Could not convert string"),
    ],
)
def test_a_mistake_in_a_query_is_one_line(folder, query, said):
    """With what DuckDB proposes, also where it is found while reading."""
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        answer(folder, query)
    assert "\n" not in str(error.value)
    assert "LINE" not in str(error.value)


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[x]b", "it's", "a$b", "ä b"])
def test_a_run_of_any_name_is_asked_and_no_other(tmp_path, name):
    """What is a pattern to DuckDB is a name to us."""
    own = make_run(tmp_path / name)
    other = shutil.copytree(own.path, tmp_path / "axb")
    assert answer(own, "select count(*) from candidates") == [(3,)]
    assert answer(own, "select count(*) from results") == [(3,)]
    for path in (other / "index.parquet", tmp_path / "*" / "index.parquet"):
        with pytest.raises(ValueError, match="Permission Error"):
            answer(own, f"from read_parquet('{path}')")


def test_a_run_is_asked_by_a_relative_path_too(folder, monkeypatch):
    """As one types it."""
    monkeypatch.chdir(folder.path.parent)
    run = RunFolder(folder.path.relative_to(folder.path.parent))
    assert answer(run, "select count(*) from results") == [(3,)]


def test_a_run_with_nothing_finished_has_candidates_and_requests(tmp_path):
    """No rows, and no results to ask."""
    run = RunFolder(tmp_path)
    run.create()
    write_manifest([request()], run.manifest)
    with pytest.raises(ValueError, match="has no index yet; run `fundiff index"):
        answer(run, "from candidates")
    build_index(run)
    assert answer(run, "from candidates") == []
    assert answer(run, "select count(*) from requests") == [(1,)]
