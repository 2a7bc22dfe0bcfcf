"""The plan: which shard works which rows of the frozen manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.schemas import PLAN
from manifests.tables import read_rows, to_records, write_table


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """Rows start to stop - 1 of the frozen manifest."""

    shard: int
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not (self.shard >= 0 and 0 <= self.start < self.stop):
            raise ValueError(f"{self} has no rows; a shard is a range of at least one row")


def write_plan(shards: Sequence[PlannedShard], path: Path) -> None:
    """Write a plan, whole or not at all."""
    write_table(shards, PLAN, path)


def read_plan(path: Path) -> list[PlannedShard]:
    """Return the planned shards in order.

    Raises:
        ValueError: If the file is no plan of this version.
    """
    return list(to_records(read_rows(path, PLAN), PlannedShard))
