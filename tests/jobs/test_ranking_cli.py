"""The commands that ask the index: top with its filters, and sql."""

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.pictures import best_pictures
from manifests.layout import RunFolder
from manifests.picks import Pick, save_pick
from manifests.records import Score
from manifests.schemas import PICKS, SCORES
from manifests.tables import write_table
from tests.jobs.finished import finished
from tests.jobs.test_cli import run
from tests.manifests.rows import candidate, png, request


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A finished run of one request: a good picture, its twin, and another."""
    asked = request(tags=("letters",))
    vectors = ((1.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    rows = [
        candidate(asked.request_id, n, score=0.3 - n / 10, embedding=vector, image=png(n),
                  status="accepted" if n < 2 else "kept")
        for n, vector in enumerate(vectors)
    ]  # fmt: skip
    made = finished(tmp_path / "run", [asked], rows)
    (made.scores / "clip").mkdir(parents=True)
    write_table(
        [Score(asked.request_id, n, 2, n / 10, *[None] * 7, (), "org/clip") for n in range(3)],
        SCORES,
        made.scores / "clip" / "part-0.parquet",
    )
    pick = {"request_id": asked.request_id, "candidate": 1, "rating": 5, "rejected": False,
            "who": "ann", "at": datetime(2026, 1, 1, tzinfo=UTC)}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([pick], PICKS), made.picks)
    return made


FILTERS = [
    ([], [0, 1, 2]),
    (["--text", "ROCKET letters"], [0, 1, 2]),
    (["--min-score", 0.15], [0, 1]),
    (["--picked"], [1]),
    (["--distinct", 0.9], [0, 2]),
    (["--by", "clip"], [2, 1, 0]),
    (["--by", "clip", "--distinct", 0.9], [2, 1]),
    (["--by", "clip", "--by", "clip"], [2, 1, 0]),
    (["--status", "kept", "--kind", "anagram", "--tag", "letters"], [2]),
]


@pytest.mark.parametrize(("words", "found"), FILTERS, ids=str)
def test_top_shows_what_the_filters_leave(folder, words, found):
    """In the order that they give."""
    rows = json.loads(run("top", folder.path, "--json", *words))
    assert [row["candidate"] for row in rows] == found


@pytest.mark.parametrize(("words", "found"), FILTERS[1:6], ids=str)
def test_export_takes_the_same_filters(folder, tmp_path, words, found):
    """As do all commands that look."""
    run("export", folder.path, "-o", tmp_path / "out", *words)
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))  # by rank
    assert [int(name[-9:-4]) for name in names] == found


def test_all_that_is_picked_is_taken_unless_a_number_is_given(tmp_path):
    """Six of one request are more than the usual three, by every command that chooses."""
    asked = request()
    rows = [candidate(asked.request_id, n, score=1 - n / 10, image=png(n)) for n in range(8)]
    made = finished(tmp_path / "run", [asked], rows)
    for n in range(2, 8):
        save_pick(made, Pick(asked.request_id, n, 3, False, "ann", datetime.now(UTC)))
    for words, found in (
        ([], [0, 1, 2]),
        (["--picked"], [2, 3, 4, 5, 6, 7]),
        (["--picked", "-n", 4], [2, 3, 4, 5]),
        (["-n", 4, "--picked"], [2, 3, 4, 5]),
        (["--picked", "--distinct", 1], [2, 3, 4, 5, 6, 7]),
    ):
        shown = json.loads(run("top", made.path, "--json", *words))
        assert [row["candidate"] for row in shown] == found
    assert "6 pictures" in run("export", made.path, "--picked", "-o", tmp_path / "out")
    assert "6 pictures" in run("gallery", made.path, "--picked", "-o", tmp_path / "page.html")
    for name in ("top", "export", "animate", "gallery", "curate"):
        assert "3 if not given, or all with --picked" in " ".join(run(name, "--help").split())


def test_the_judges_that_rank_say_their_scores(folder):
    """In the order they were asked in; whom not all of them scored has none."""
    (folder.scores / "other").mkdir()
    key = json.loads(run("top", folder.path, "-n", 1, "--json"))[0]["request_id"]
    write_table(
        [Score(key, n, 2, 0.75 - n / 4, *[None] * 7, (), "org/other") for n in range(2)],
        SCORES,
        folder.scores / "other" / "part-0.parquet",
    )
    words = ["--by", "other", "--by", "clip", "--by", "other"]
    rows = json.loads(run("top", folder.path, *words, "--json"))
    assert {row["candidate"]: list(row["by"].items()) for row in rows} == {
        0: [("other", 0.75), ("clip", 0.0)],
        1: [("other", 0.5), ("clip", pytest.approx(0.1))],
        2: [("other", None), ("clip", None)],
    }
    lines = [line.split("│") for line in run("top", folder.path, *words).splitlines()]
    cells = {
        line[1].strip()[-2:]: [cell.strip() for cell in line[3:6]]
        for line in lines
        if line[2:] and ":" in line[1]
    }
    assert cells == {
        ":0": ["0.300", "0.750", "0.000"],
        ":1": ["0.200", "0.500", "0.100"],
        ":2": ["0.100", "", ""],
    }
    assert "by" not in json.loads(run("top", folder.path, "--json"))[0]


def test_pictures_come_in_the_order_of_the_ranking(folder):
    """Each with its own row."""
    pairs = list(best_pictures(folder, 9, by=("clip",)))
    assert [(row["candidate"], picture) for row, picture in pairs] == [
        (n, png(n).bytes) for n in (2, 1, 0)
    ]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["--text", "nope"], "nothing in", 1),
        (["--by", "x"], "choose from clip", 1),
        (["--distinct", 2], "0<=x<=1", 2),
        (["--min-score", "x"], "not a valid float", 2),
        (["--status", "x"], "'accepted', 'kept', 'rejected', 'failed'", 2),
    ],
)
def test_a_wrong_filter_is_told(folder, words, said, code):
    """With what is allowed."""
    assert said in run("top", folder.path, *words, code=code)


def test_sql_prints_a_table_json_or_csv(folder):
    """Of the same rows."""
    query = "select candidate as n, score > 0.15 as good, image from results order by n limit 2"
    shown = [f"<{len(png(n).bytes)} bytes>" for n in (0, 1)]
    assert json.loads(run("sql", folder.path, query, "--json")) == [
        {"n": n, "good": True, "image": {"bytes": shown[n], "path": "picture.png"}} for n in (0, 1)
    ]
    rows = list(csv.reader(io.StringIO(run("sql", folder.path, query, "--csv"))))
    assert rows[0] == ["n", "good", "image"]
    assert rows[2][:2] == ["1", "true"]
    assert all(each in run("sql", folder.path, query) for each in shown)
    assert "PNG" not in run("sql", folder.path, "select image.bytes from results")


def test_a_row_of_many_columns_is_a_record(folder):
    """Where a table would leave two characters to a column."""
    query = "from candidates order by candidate"
    row = json.loads(run("sql", folder.path, query, "--json"))[0]
    lines = [line.split() for line in run("sql", folder.path, query).splitlines()]
    assert lines[0][:2] == ["row", "1"]
    assert [line[0] for line in lines[1 : 1 + len(row)]] == list(row)
    assert ["request_id", row["request_id"]] in lines


def test_sql_without_a_query_lists_the_tables(folder):
    """Every column with what it means, those of the scores and picks that there are too."""
    rows = json.loads(run("sql", folder.path, "--json"))
    assert list(dict.fromkeys(row["table"] for row in rows)) == [
        "candidates", "requests", "results", "scores", "picks"
    ]  # fmt: skip
    assert all(row["meaning"] for row in rows)
    table = run("sql", folder.path)
    assert "Number of the try" in table
    assert "row 1" not in table


def test_a_long_answer_is_cut_on_a_terminal_and_whole_in_a_file(folder):
    """And it says so."""
    query = "select range as n from range(201)"
    assert "the first 200 rows; --json and --csv print all" in run("sql", folder.path, query)
    assert len(json.loads(run("sql", folder.path, query, "--json"))) == 201
    assert len(run("sql", folder.path, query, "--csv").splitlines()) == 202
    assert "first" not in run("sql", folder.path, "select range as n from range(200)")


def test_what_sql_may_not_do_is_one_line(folder, tmp_path):
    """Nothing is written, nothing else is read."""
    for query in (
        f"copy (select 1) to '{tmp_path}/x.csv'",
        "from read_text('/etc/passwd')",
        "from nowhere",
    ):
        said = run("sql", folder.path, query, code=1)
        assert said.startswith("fundiff: ")
        assert len(said.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_real_run_is_ranked_without_twins(small_run):
    """The worker writes the embeddings that it compares."""
    every = json.loads(run("top", small_run, "-n", 9, "--json"))
    alike = json.loads(run("top", small_run, "-n", 9, "--json", "--distinct", 0))
    assert {row["request_id"] for row in alike} == {row["request_id"] for row in every}
    assert len(alike) <= len(every)
