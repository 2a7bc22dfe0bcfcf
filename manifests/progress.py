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
    """Return how far a run is."""
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
            counts.update(_column(path, "status"))
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
    return list(zip(_column(path, "request_id"), _column(path, "candidate"), strict=True))


def _column(path: Path, name: str) -> list[Any]:
    """Return a column of a results file, nothing if it is torn or was removed meanwhile."""
    try:
        column: list[Any] = read_rows(path, RESULTS, [name])[name].to_pylist()
    except (ValueError, FileNotFoundError):
        return []
    return column
