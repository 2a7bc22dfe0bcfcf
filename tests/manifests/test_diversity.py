"""Pictures that are no twins: a greedy choice, and its properties for any embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.diversity import first_without_twins, read_embeddings, without_twins
from manifests.layout import RunFolder
from manifests.results import write_part
from tests.manifests.rows import candidate

NONE = np.zeros(0, np.float32)


def unit(*values: float) -> np.ndarray:
    """A unit vector of this direction."""
    vector = np.array(values)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@st.composite
def rankings(draw) -> list[np.ndarray]:
    """Embeddings of a few dimensions, some of them missing."""
    numbers = st.lists(st.integers(-4, 4), min_size=3, max_size=3).filter(any)
    drawn = draw(st.lists(st.none() | numbers, max_size=12))
    return [NONE if each is None else unit(*each) for each in drawn]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(min(1.0, a.astype(float) @ b.astype(float))) if a.size and b.size else -1.0


limits = st.floats(0, 1)
counts = st.integers(0, 13)


@given(rankings(), counts, limits)
def test_no_two_that_are_taken_are_twins(ranked, n, distinct):
    """Whatever the ranking."""
    taken = [ranked[place] for place in first_without_twins(ranked, n, distinct)]
    pairs = [(a, b) for i, a in enumerate(taken) for b in taken[:i]]
    assert all(cosine(a, b) <= distinct for a, b in pairs)


@given(rankings(), counts, limits)
def test_whoever_is_passed_over_has_a_better_twin_that_is_taken(ranked, n, distinct):
    """Nobody is left out without a reason, until there are n."""
    taken = first_without_twins(ranked, n, distinct)
    seen = len(ranked) if len(taken) < n else max(taken, default=-1) + 1
    for place in set(range(seen)) - set(taken):
        better = [ranked[other] for other in taken if other < place]
        assert max(cosine(ranked[place], each) for each in better) > distinct


@given(rankings(), counts, limits)
def test_fewer_are_the_first_of_more(ranked, n, distinct):
    """In order of rank, and n of them at most."""
    taken = first_without_twins(ranked, n, distinct)
    assert taken == sorted(taken)
    assert taken == first_without_twins(ranked, 99, distinct)[:n]


@given(rankings(), counts)
def test_a_limit_of_one_takes_all(ranked, n):
    """Equal pictures too, whose cosine a computer may find a trifle above 1."""
    assert first_without_twins(ranked, n, 1.0) == list(range(min(n, len(ranked))))


@given(rankings(), limits)
def test_a_picture_without_embedding_is_nobodys_twin(ranked, distinct):
    """It is taken, and keeps nobody out."""
    taken = first_without_twins(ranked, 99, distinct)
    assert {place for place, each in enumerate(ranked) if not each.size} <= set(taken)
    known = [each for each in ranked if each.size]
    assert len(first_without_twins(known, 99, distinct)) == sum(
        1 for place in taken if ranked[place].size
    )


def test_twins_are_passed_over_by_example():
    """At right angles, 45 degrees apart, and the same."""
    ranked = [unit(1, 0), unit(1, 0), unit(1, 1), NONE, unit(0, 1), unit(0, 1)]
    assert first_without_twins(ranked, 9, 0.9) == [0, 2, 3, 4]
    assert first_without_twins(ranked, 9, 0.5) == [0, 3, 4]
    assert first_without_twins(ranked, 2, 0.5) == [0, 3]
    assert first_without_twins(ranked, 0, 0.5) == []


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path)
    run.create()
    return run


def test_embeddings_are_read_over_row_groups(folder, monkeypatch):
    """In order, with the missing ones."""
    monkeypatch.setattr("manifests.tables.ROW_GROUP_BYTES", 30)
    vectors = [(1.0, 0.0), (), (0.6, 0.8), (), (), (0.0, 1.0), ()]
    rows = [candidate(number=n, embedding=vector) for n, vector in enumerate(vectors)]
    part = write_part(folder, 0, "a", rows)
    found = read_embeddings(folder, str(part.relative_to(folder.path)))
    assert [each.tolist() for each in found] == [pytest.approx(list(v)) for v in vectors]


def test_requests_and_parts_do_not_mix(folder):
    """A request's candidates in two parts of a shard, and another request's like them."""
    names = []
    for attempt, ids in (("a", "xxy"), ("b", "xy")):
        rows = [candidate(each * 16, n, embedding=(1.0, 0.0)) for n, each in enumerate(ids)]
        names.append(str(write_part(folder, 0, attempt, rows).relative_to(folder.path)))
    rows = [
        {"shard": 0, "request_id": each, "part": names[part], "row": row}
        for each, part, row in (("x", 0, 0), ("x", 0, 1), ("x", 1, 0), ("y", 1, 1), ("y", 0, 2))
    ]
    assert list(without_twins(folder, rows, 9, 0.5)) == [(1, rows[0]), (1, rows[3])]
    assert list(without_twins(folder, rows, 2, 1.0)) == [
        (1, rows[0]), (2, rows[1]), (1, rows[3]), (2, rows[4])
    ]  # fmt: skip
