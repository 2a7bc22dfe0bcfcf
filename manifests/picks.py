"""What people picked and rated: the newest word of each person on each candidate."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.files import write_whole
from manifests.layout import RunFolder
from manifests.schemas import PICKS
from manifests.tables import read_rows

RATINGS = range(1, 6)
"""What a candidate may be rated."""

PICKED = 3
"""The least rating of a pick."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One row of the picks: what a person says of a candidate.

    Attributes:
        request_id: The request.
        candidate: The candidate.
        rating: 1 to 5, or None for one that is rejected.
        rejected: Whether it is crossed out.
        who: The person.
        at: When, with a time zone.
    """

    request_id: str
    candidate: int
    rating: int | None
    rejected: bool
    who: str
    at: datetime

    def __post_init__(self) -> None:
        if self.rating is not None and self.rating not in RATINGS:
            raise ValueError(f"rating is {self.rating}; choose from 1 to 5")
        if self.rejected == (self.rating is not None):
            raise ValueError(
                f"rating is {self.rating} and rejected {self.rejected}; "
                "rate a candidate or reject it"
            )
        if not self.who:
            raise ValueError("a pick is nobody's; say who made it")
        if self.at.tzinfo is None:
            raise ValueError(f"{self.at} has no time zone; give one")


def read_picks_table(folder: RunFolder) -> pa.Table:
    """Return the picks of everybody, empty if there are none yet.

    Raises:
        ValueError: If the file is no picks table of this version.
    """
    if not folder.picks.is_file():
        return PICKS.empty_table()
    return read_rows(folder.picks, PICKS)


def save_pick(folder: RunFolder, pick: Pick) -> Pick | None:
    """Write a person's word on a candidate; return what they said of it before, if anything.

    When this returns the word is on disk, and words that others say meanwhile are kept.

    Raises:
        OSError: If it cannot be written.
    """
    with _alone(folder):
        table = read_picks_table(folder)
        earlier, others = _split(table, pick)
        _write(folder, [others, _table(pick)])
    return earlier


def undo(folder: RunFolder, pick: Pick, earlier: Pick | None = None) -> bool:
    """Take a word back, and say again what was said before it; return whether it still stood.

    A word that the person has replaced since, in another window, stays.

    Args:
        folder: The run.
        pick: The word to take back.
        earlier: What `save_pick` returned for it.

    Raises:
        OSError: If it cannot be written.
    """
    with _alone(folder):
        current, others = _split(read_picks_table(folder), pick)
        if current != pick:
            return False
        _write(folder, [others, *([_table(earlier)] if earlier else [])])
    return True


def picked(folder: RunFolder) -> list[tuple[str, int]]:
    """Return what anybody rated 3 or more, once each, in order of request and candidate."""
    table = read_picks_table(folder)
    good = pc.and_(
        pc.fill_null(pc.greater_equal(table["rating"], PICKED), False),
        pc.invert(table["rejected"]),
    )
    rows = table.filter(good).select(["request_id", "candidate"]).to_pylist()
    return sorted({(row["request_id"], row["candidate"]) for row in rows})


@contextmanager
def _alone(folder: RunFolder) -> Iterator[None]:
    """Hold the run's picks until the block ends, against other threads, processes and nodes."""
    with folder.picks.with_name(f".{folder.picks.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _split(table: pa.Table, pick: Pick) -> tuple[Pick | None, pa.Table]:
    """Return a person's word on a candidate, if there is one, and all other rows."""
    same = pc.and_(
        pc.and_(
            pc.equal(table["candidate"], pick.candidate),
            pc.equal(table["request_id"], pick.request_id),
        ),
        pc.equal(table["who"], pick.who),
    )
    found = table.filter(same).to_pylist()
    return (Pick(**found[0]) if found else None), table.filter(pc.invert(same))


def _table(pick: Pick) -> pa.Table:
    return pa.Table.from_pylist([asdict(pick)], schema=PICKS)


def _write(folder: RunFolder, tables: list[pa.Table]) -> None:
    table = pa.concat_tables(tables)
    write_whole(folder.picks, lambda hidden: pq.write_table(table, hidden, compression="zstd"))
