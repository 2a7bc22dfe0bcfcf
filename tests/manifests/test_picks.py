import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.layout import RunFolder
from manifests.picks import Pick, picked, read_picks_table, save_pick, undo
from manifests.schemas import PICKS

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pick(candidate: int = 0, rating: int | None = 4, **fields: Any) -> Pick:
    """Return a pick; one without a rating is a rejection."""
    plain = {"request_id": "a", "rejected": rating is None, "who": "anna", "at": NOON}
    return Pick(candidate=candidate, rating=rating, **(plain | fields))


def read(folder: RunFolder) -> list[Pick]:
    return [Pick(**row) for row in read_picks_table(folder).to_pylist()]


def test_a_saved_pick_is_read_back_and_is_the_tables_row(tmp_path: Path):
    folder = RunFolder(tmp_path)
    assert save_pick(folder, pick(7, 5)) is None
    assert read(folder) == [pick(7, 5)]
    assert pq.read_schema(folder.picks).equals(PICKS, check_metadata=True)


def test_a_run_that_nobody_looked_at_has_no_picks(tmp_path: Path):
    folder = RunFolder(tmp_path)
    assert read_picks_table(folder).num_rows == 0
    assert picked(folder) == []
    assert list(tmp_path.iterdir()) == []


words = st.tuples(
    st.sampled_from(["anna", "ben"]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 2),
    st.sampled_from([None, 1, 3, 5]),
)


@given(st.lists(words, max_size=12))
@settings(max_examples=30, deadline=None)
def test_the_newest_word_of_each_person_on_each_candidate_counts(said: list[Any]):
    """And what is returned is what they said before."""
    with tempfile.TemporaryDirectory() as place:
        folder, expected = RunFolder(Path(place)), dict[Any, Pick]()
        for minute, (who, request_id, candidate, rating) in enumerate(said):
            at = NOON + timedelta(minutes=minute)
            new = pick(candidate, rating, request_id=request_id, who=who, at=at)
            assert save_pick(folder, new) == expected.get((who, request_id, candidate))
            expected[who, request_id, candidate] = new
        assert sorted(read(folder), key=lambda p: p.at) == sorted(
            expected.values(), key=lambda p: p.at
        )
        assert picked(folder) == sorted(
            {(p.request_id, p.candidate) for p in expected.values() if (p.rating or 0) >= 3}
        )


def test_undo_goes_back_step_by_step(tmp_path: Path):
    """To no word at all in the end."""
    folder = RunFolder(tmp_path)
    first, second = pick(0, 2), pick(0, None, at=NOON + timedelta(minutes=1))
    save_pick(folder, pick(1))
    assert save_pick(folder, first) is None
    assert save_pick(folder, second) == first
    assert undo(folder, second, first)
    assert read(folder) == [pick(1), first]
    assert undo(folder, first)
    assert read(folder) == [pick(1)]


def test_undo_leaves_what_was_said_since(tmp_path: Path):
    """In another window, by the same person."""
    folder = RunFolder(tmp_path)
    save_pick(folder, pick(0, 2))
    newer = pick(0, 5, at=NOON + timedelta(minutes=1))
    save_pick(folder, newer)
    assert not undo(folder, pick(0, 2))
    assert not undo(folder, pick(9, 2))
    assert read(folder) == [newer]


@pytest.mark.parametrize(
    ("rating", "is_picked"), [(None, False), (1, False), (2, False), (3, True), (5, True)]
)
def test_a_pick_is_what_anybody_rated_three_or_more(
    tmp_path: Path, rating: int | None, is_picked: bool
):
    """Whatever another one thinks of it."""
    folder = RunFolder(tmp_path)
    save_pick(folder, pick(4, rating))
    save_pick(folder, pick(4, None, who="ben"))
    assert picked(folder) == ([("a", 4)] if is_picked else [])


def test_what_is_crossed_out_is_no_pick_whatever_its_rating(tmp_path: Path):
    """A table of other hands may say both."""
    row = asdict(pick(0, 5)) | {"rejected": True}
    folder = RunFolder(tmp_path)
    pq.write_table(pa.Table.from_pylist([row], PICKS), folder.picks)
    assert picked(folder) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rating": 0}, "rating is 0; choose from 1 to 5"),
        ({"rating": 6}, "rating is 6"),
        ({"rating": 3, "rejected": True}, "rate a candidate or reject it"),
        ({"rating": None, "rejected": False}, "rate a candidate or reject it"),
        ({"who": ""}, "say who made it"),
        ({"at": datetime(2026, 1, 1)}, "has no time zone"),
    ],
)
def test_a_word_that_says_nothing_or_two_things_is_refused(fields: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        pick(**fields)


def test_another_table_in_its_place_is_one_clear_line(tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.picks.write_bytes(b"no Parquet")
    with pytest.raises(ValueError, match=r"picks\.parquet is no whole Parquet file"):
        save_pick(folder, pick())


SAVING = """
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from manifests.layout import RunFolder
from manifests.picks import Pick, save_pick
folder, who, count = RunFolder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for number in range(count):
    save_pick(folder, Pick("a", number, 3, False, who, datetime.now(UTC)))
    print(number, flush=True)
"""


def saving(folder: RunFolder, who: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SAVING, str(folder.path), who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_people_who_pick_at_once_lose_nothing_of_each_others(tmp_path: Path):
    """Three processes, sixty picks."""
    folder = RunFolder(tmp_path)
    processes = [saving(folder, who, 20) for who in ("anna", "ben", "cleo")]
    assert [process.communicate() and process.returncode for process in processes] == [0, 0, 0]
    assert {(p.who, p.candidate) for p in read(folder)} == {
        (who, number) for who in ("anna", "ben", "cleo") for number in range(20)
    }


def test_what_was_saved_outlives_a_kill(tmp_path: Path):
    """In the middle of the next one: the file is whole, and the picks go on."""
    folder = RunFolder(tmp_path)
    with saving(folder, "anna", 10**6) as process:
        assert process.stdout
        told = [int(process.stdout.readline()) for _ in range(15)][-1]
        process.kill()
        told = max([told, *map(int, process.stdout.read().split())])
    kept = {p.candidate for p in read(folder)}
    assert kept >= set(range(told + 1))
    assert kept <= set(range(told + 2))
    save_pick(folder, pick(told + 2))
    assert len(read(folder)) == len(kept) + 1
