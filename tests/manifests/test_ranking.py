"""The ranking against plain Python, and what each filter leaves."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.filters import Filters
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.ranking import ranking, top
from manifests.records import Candidate, Request, Score
from manifests.results import Marker, collect, publish_marker, write_part
from manifests.schemas import PICKS, SCORES
from manifests.tables import write_table
from tests.manifests.rows import candidate, request


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.create()
    return run


def finish(folder: RunFolder, requests: Sequence[Request], rows: Sequence[Candidate]) -> None:
    """Make a finished run of one shard."""
    write_manifest(requests, folder.manifest)
    write_part(folder, 0, "a", rows)
    files, keys = collect(folder, 0)
    publish_marker(folder, Marker(0, "a", files, len(keys)))
    build_index(folder)


def numbers(rows: Iterable[dict]) -> list[int]:
    return [row["candidate"] for row in rows]


def one_request(folder: RunFolder, *fields: dict) -> str:
    """Make a run of one request with a candidate for each of these; return its id."""
    asked = request()
    rows = [candidate(asked.request_id, n, **each) for n, each in enumerate(fields)]
    finish(folder, [asked], rows)
    return asked.request_id


def last_word(order: tuple) -> tuple:
    """Nulls last: a key of a value that may be None."""
    return tuple((value is None, value) for value in order)


def expected(rows: Sequence[Candidate], n: int) -> list[tuple[str, int, int]]:
    """The best n of every request, in plain Python."""
    groups = []
    for request_id in {row.request_id for row in rows}:
        own = [row for row in rows if row.request_id == request_id and row.stage > 0]
        own.sort(
            key=lambda row: last_word((
                -row.stage, row.mean_rank, None if row.score is None else -row.score, row.candidate
            ))
        )  # fmt: skip
        if own:
            groups.append(own)
    groups.sort(
        key=lambda own: last_word((
            None if own[0].score is None else -own[0].score, own[0].request_id
        ))
    )  # fmt: skip
    return [
        (row.request_id, row.candidate, rank)
        for own in groups
        for rank, row in enumerate(own[:n], 1)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_ranking_is_the_one_that_plain_python_gives(folder, seed):
    """Stages, mean ranks, scores and numbers, with ties and nulls."""
    pick = random.Random(seed).choice
    requests = [request(seed=n) for n in range(12)]
    rows = [
        candidate(
            each.request_id,
            number,
            stage=pick([0, 1, 1, 2, 2]),
            mean_rank=pick([None, 1.0, 1.5, 2.0]),
            score=pick([None, -0.1, 0.0, 0.1, 0.2]),
        )
        for each in requests
        for number in range(10)
    ]
    finish(folder, requests, rows)
    for n in (1, 3, 99):
        found = [(row["request_id"], row["candidate"], row["rank"]) for row in top(folder, n)]
        assert found == expected(rows, n)


def test_a_row_has_what_the_index_and_the_request_say(folder):
    """And nothing else."""
    asked = request(style="an oil painting of", tags=("night",))
    finish(folder, [asked], [candidate(asked.request_id)])
    (row,) = top(folder, 1)
    index = pq.read_table(folder.index).to_pylist()[0]
    assert row == {
        **index,
        "rank": 1,
        "prompts": ["a skull", "a rocket ship"],
        "views": ["identity", "flip"],
        "style": "an oil painting of",
        "tags": ["night"],
    }


def test_rows_are_ranked_one_at_a_time(folder):
    """Whoever wants the first few need not hold all."""
    one_request(folder, {}, {}, {})
    rows = ranking(folder, 9, Filters())
    assert next(rows)["candidate"] == 0
    rows.close()
    assert numbers(ranking(folder, 9, Filters())) == [0, 1, 2]


def test_the_mean_rank_goes_before_the_score(folder):
    """Several judges say more than the first of them."""
    one_request(folder, {"mean_rank": 2.0, "score": 0.9}, {"mean_rank": 1.0, "score": 0.1})
    assert numbers(top(folder, 9)) == [1, 0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("skull", {0, 1}),
        ("SKULL", {0, 1}),
        ("oil skull", {0}),
        ("  kull   OIL ", {0}),
        ("oil rocket", {0, 1, 2} - {1, 2}),
        ("ÄPFEL", {2}),
        ("letters", {1}),
        ("100%", {2}),
        ("", {0, 1, 2}),
        ("  ", {0, 1, 2}),
    ],
)
def test_text_is_looked_for_in_style_prompts_and_tags(folder, text, found):
    """All words, in any order and case; what SQL takes for patterns is text."""
    requests = [
        request(style="an oil painting of"),
        request(prompts=("a skull", "a cat"), tags=("night", "letters")),
        request(prompts=("Äpfel", "100%_sure")),
    ]
    finish(folder, requests, [candidate(each.request_id) for each in requests])
    ids = {row["request_id"] for row in top(folder, 9, text=text)}
    assert ids == {requests[n].request_id for n in found}


def test_text_is_no_pattern(folder):
    """A dot is a dot, and a quotation mark ends nothing."""
    one_request(folder, {})
    for text in ("sk.ll", "%", "_", "'", "$text", "skull)"):
        with pytest.raises(ValueError, match=r"nothing in .* has text"):
            top(folder, 1, text=text)


def test_a_least_score_of_zero_counts(folder):
    """Candidates without a score have none that would do."""
    one_request(folder, {"score": 0.2}, {"score": 0.0}, {"score": -0.1}, {"score": None})
    assert numbers(top(folder, 9)) == [0, 1, 2, 3]
    assert numbers(top(folder, 9, min_score=0.0)) == [0, 1]
    assert numbers(top(folder, 9, min_score=-0.1)) == [0, 1, 2]
    with pytest.raises(
        ValueError, match=r"nothing in .* has min_score 0\.3; its kinds are anagram"
    ):
        top(folder, 9, min_score=0.3)


def write_picks(folder: RunFolder, *words: tuple) -> None:
    """Write what people said, one after another: request, candidate, rating, rejected, who."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        dict(zip(PICKS.names, (*word, start + timedelta(minutes=n)), strict=True))
        for n, word in enumerate(words)
    ]
    random.Random(0).shuffle(rows)
    pq.write_table(pa.Table.from_pylist(rows, PICKS), folder.picks)


def test_picked_are_those_that_somebodys_latest_word_speaks_for(folder):
    """Rated 3 or better and not crossed out; one who likes it is enough."""
    own = one_request(folder, {}, {}, {}, {}, {}, {}, {})
    write_picks(
        folder,
        (own, 0, 3, False, "ann"),
        (own, 1, 2, False, "ann"),
        (own, 2, 5, False, "ann"), (own, 2, 5, True, "ann"),
        (own, 3, 1, False, "ann"), (own, 3, 4, False, "ann"),
        (own, 4, None, False, "ann"),
        (own, 5, 5, True, "ann"), (own, 5, 5, False, "bob"),
        ("f" * 16, 6, 5, False, "ann"),
    )  # fmt: skip
    assert numbers(top(folder, 9, picked=True)) == [0, 3, 5]
    assert [row["rank"] for row in top(folder, 9, picked=True)] == [1, 2, 3]


def test_picks_that_are_not_there_are_one_line(folder):
    """With the command that makes them."""
    one_request(folder, {})
    with pytest.raises(ValueError, match=r"nobody has picked from .* yet; `fundiff curate"):
        top(folder, 1, picked=True)


def write_scores(folder: RunFolder, judge: str, request_id: str, *scores: tuple) -> None:
    """Write a part of a judge's scores: candidate, stage, score."""
    rows = [
        Score(
            request_id, number, stage, score, None, None, None, None, None, None, None, (), judge
        )
        for number, stage, score in scores
    ]
    parts = folder.scores / judge
    parts.mkdir(parents=True, exist_ok=True)
    write_table(rows, SCORES, parts / f"part-{len(list(parts.iterdir()))}.parquet")


def test_other_judges_rank_by_the_mean_of_their_ranks(folder):
    """Not by the mean of their scores, which cannot be compared; equal scores share a rank."""
    own = one_request(folder, {}, {}, {}, {})
    write_scores(folder, "strict", own, (0, 2, 0.1), (1, 2, 0.2), (2, 2, 0.2), (3, 2, 0.05))
    write_scores(folder, "mild", own, (0, 2, 9.0), (1, 2, 1.0), (2, 2, 8.0), (3, 2, 7.0))
    # strict: 3, 1.5, 1.5, 4; mild: 1, 4, 2, 3
    assert numbers(top(folder, 9, by=("strict",))) == [1, 2, 0, 3]
    assert numbers(top(folder, 9, by=("mild",))) == [0, 2, 3, 1]
    assert numbers(top(folder, 9, by=("strict", "mild"))) == [2, 0, 1, 3]


def test_equal_scores_share_the_mean_of_their_ranks(folder):
    """A judge that cannot tell four apart does not call each of them the best."""
    own = one_request(folder, {}, {}, {}, {}, {})
    write_scores(folder, "blind", own, *[(n, 2, 0.5) for n in range(4)], (4, 2, 0.1))
    write_scores(folder, "keen", own, *[(n, 2, -n / 10) for n in range(4)], (4, 2, 0.1))
    # blind: 2.5 2.5 2.5 2.5 5; keen: 2 3 4 5 1
    assert numbers(top(folder, 9, by=("blind", "keen"))) == [0, 1, 4, 2, 3]


def test_ranks_by_other_judges_are_among_candidates_of_the_same_stage(folder):
    """Stage II first, whatever they say."""
    own = one_request(folder, {"stage": 1}, {"stage": 2}, {"stage": 1}, {"stage": 2})
    write_scores(folder, "j", own, (0, 1, 0.9), (1, 2, 0.1), (2, 1, 0.8), (3, 2, 0.2))
    assert numbers(top(folder, 9, by=("j",))) == [3, 1, 0, 2]


def test_a_word_on_a_picture_that_was_replaced_does_not_count(folder):
    """It was the best of its stage, and went on to the next since."""
    own = one_request(folder, {"stage": 2}, {"stage": 2})
    write_scores(folder, "j", own, (0, 1, 5.0), (1, 2, 0.1))
    assert numbers(top(folder, 9, by=("j",))) == [1, 0]


def test_whom_a_judge_has_not_scored_comes_last(folder):
    """Also if another one has, and first."""
    own = one_request(folder, {}, {}, {})
    write_scores(folder, "a", own, (0, 2, 0.9), (1, 2, 0.1), (2, 2, 0.2))
    write_scores(folder, "b", own, (1, 2, 0.1), (2, 2, 0.2))
    assert numbers(top(folder, 9, by=("a", "b"))) == [2, 1, 0]


def test_a_filter_changes_no_judges_rank(folder):
    """Ranks are among all candidates of a request, not among those that are left."""
    own = one_request(folder, *[{"status": each} for each in ("kept", "rejected", "kept")])
    write_scores(folder, "a", own, (0, 2, 0.3), (1, 2, 0.2), (2, 2, 0.1))
    write_scores(folder, "b", own, (0, 2, 0.1), (1, 2, 0.3), (2, 2, 0.2))
    write_scores(folder, "c", own, (0, 2, 0.1), (1, 2, 0.2), (2, 2, 0.3))
    # a: 1 2 3, b: 3 1 2, c: 3 2 1; among the kept alone candidates 0 and 2 would be 5 and 4
    assert numbers(top(folder, 9, status="kept", by=("a", "b"))) == [0, 2]
    assert numbers(top(folder, 9, status="kept", by=("a", "b", "c"))) == [2, 0]


def test_an_unknown_judge_is_one_line_that_lists_those_there_are(folder):
    """A name that leads out of the folder is unknown too, and one that is being written."""
    own = one_request(folder, {})
    (folder.scores / "begun").mkdir(parents=True)
    (folder.scores / "begun" / ".part-0.parquet.tmp-1").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"judge 'x' has not scored .*; nobody has"):
        top(folder, 1, by=("x",))
    write_scores(folder, "siglip", own, (0, 2, 0.1))
    write_scores(folder, "clip", own, (0, 2, 0.1))
    for name in ("x", "../scores/clip", "*", "clip'"):
        with pytest.raises(ValueError, match=r"has not scored .*; choose from clip, siglip"):
            top(folder, 1, by=("clip", name))


def test_twins_are_passed_over_and_the_ranks_closed_up(folder):
    """The best of each heap is shown; a candidate without embedding always."""
    one_request(
        folder,
        {"embedding": (1.0, 0.0)},
        {"embedding": (1.0, 0.0)},
        {"embedding": (0.6, 0.8)},
        {"embedding": ()},
        {"embedding": (0.0, 1.0)},
    )
    assert [(r["candidate"], r["rank"]) for r in top(folder, 9, distinct=0.9)] == [
        (0, 1), (2, 2), (3, 3), (4, 4)
    ]  # fmt: skip
    assert numbers(top(folder, 9, distinct=0.7)) == [0, 2, 3]
    assert numbers(top(folder, 2, distinct=0.7)) == [0, 2]
    assert numbers(top(folder, 9, distinct=1.0)) == [0, 1, 2, 3, 4]


def test_twins_are_those_of_the_same_request(folder):
    """Requests keep their order, by the score of their best."""
    requests = [request(seed=n) for n in range(3)]
    rows = [
        candidate(each.request_id, number, score=score - number / 100)
        for each, score in zip(requests, (0.1, 0.3, 0.2), strict=True)
        for number in range(3)
    ]
    finish(folder, requests, rows)
    found = [(row["request_id"], row["candidate"]) for row in top(folder, 3, distinct=0.5)]
    assert found == [(requests[n].request_id, 0) for n in (1, 2, 0)]
    with pytest.raises(ValueError, match="nothing in"):
        top(folder, 3, distinct=0.5, kind="hybrid")


def test_a_run_without_candidates_has_no_twins_either(folder):
    """No rows, and no complaint: nothing was left out."""
    write_manifest([request()], folder.manifest)
    build_index(folder)
    assert top(folder, 9, distinct=0.5, by=()) == []


def test_filters_are_taken_together(folder):
    """Each leaves out its own."""
    own = one_request(
        folder, {"score": 0.3, "status": "rejected"}, {"score": 0.2}, {"score": 0.1}, {}
    )
    write_picks(folder, *[(own, n, 5, False, "ann") for n in range(3)])
    every = {"kind": "anagram", "text": "skull", "request_id": own, "status": "accepted"}
    assert numbers(top(folder, 9, **every, picked=True, min_score=0.15, distinct=0.9)) == [1]


def test_an_unknown_filter_is_our_own_mistake(folder):
    """No user can name one."""
    with pytest.raises(TypeError, match="colour"):
        top(folder, 1, colour="red")
