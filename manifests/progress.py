"""How far a run is, read from its files and from nothing else."""

from dataclasses import dataclass, field

import pyarrow.parquet as pq

from manifests.layout import RunFolder
from manifests.manifest import count_requests
from manifests.plan import read_plan
from manifests.results import drafts, markers, parts


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
    counts: dict[str, int] = {}
    for shard in planned:
        if shard in done:
            files = [folder.shard(shard) / file.name for file in done[shard].files]
        else:
            files = parts(folder, shard)
            drawn = sum(pq.read_metadata(path).num_rows for path in drafts(folder, shard))
            counts["drawn"] = counts.get("drawn", 0) + drawn
        for path in files:
            for status in pq.read_table(path, columns=["status"])["status"].to_pylist():
                counts[status] = counts.get(status, 0) + 1
    return Progress(
        requests=count_requests(folder.manifest),
        shards=len(planned),
        shards_done=len(done),
        encoded=any(folder.embeddings.glob("*.json")),
        candidates=counts,
        unfinished=tuple(shard for shard in planned if shard not in done),
    )
