"""How far a run is, read from its files and from nothing else."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.layout import RunFolder
from manifests.manifest import count_requests
from manifests.plan import read_plan
from manifests.results import drafts, markers, parts
from manifests.schemas import RESULTS
from manifests.tables import read_rows


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a run.

    Attributes:
        requests: In the manifest.
        shards: In the plan.
        shards_done: With a marker.
        candidates: Status -> rows, in all whole parts; `drawn` counts undecided ones.
        encoded: Whether the prompts have been encoded.
        unfinished: Shards without a marker.
    """

    requests: int
    shards: int
    shards_done: int
    encoded: bool
    candidates: dict[str, int] = field(default_factory=dict)
    unfinished: tuple[int, ...] = ()


def progress(folder: RunFolder) -> Progress:
    """Return how far a run is.

    Raises:
        ValueError: If a file that a marker lists is not whole.
    """
    planned = [row.shard for row in read_plan(folder.plan)]
    done = {marker.shard: marker for marker in markers(folder)}
    counts: Counter[str] = Counter()
    for shard in planned:
        if shard in done:
            files = [folder.shard(shard) / file.name for file in done[shard].files]
        else:
            files = parts(folder, shard)
            counts["drawn"] += len(_undecided(folder, shard, files))
        for path in files:
            counts.update(_column(path, "status", torn_is_empty=shard not in done))
    return Progress(
        requests=count_requests(folder.manifest),
        shards=len(planned),
        shards_done=len(done),
        encoded=any(folder.embeddings.glob("*.json")),
        candidates=dict(counts),
        unfinished=tuple(shard for shard in planned if shard not in done),
    )


def _undecided(folder: RunFolder, shard: int, files: list[Path]) -> set[Any]:
    """Return the keys that lie in drafts and in no part."""
    drawn = {key for path in drafts(folder, shard) for key in _keys(path)}
    return drawn - {key for path in files for key in _keys(path)}


def _keys(path: Path) -> list[Any]:
    return list(
        zip(_column(path, "request_id", True), _column(path, "candidate", True), strict=True)
    )


def _column(path: Path, name: str, torn_is_empty: bool) -> list[Any]:
    """Return a column of a results file; one that a worker lost or removed may count as empty."""
    try:
        column: list[Any] = read_rows(path, RESULTS, [name])[name].to_pylist()
    except (ValueError, FileNotFoundError):
        if torn_is_empty:
            return []
        raise
    return column
