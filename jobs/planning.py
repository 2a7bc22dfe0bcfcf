"""From a manifest to a run folder: frozen, hashed, cut into shards."""

from collections.abc import Sequence
from dataclasses import replace

from jobs.config import RunConfig
from manifests.files import read_json, sha256_file, write_json
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.plan import PlannedShard, read_plan, write_plan
from manifests.records import Request

DECISIVE = (
    "manifest_sha256",
    "model",
    "stage_2",
    "judge",
    "revision",
    "seed",
    "stage_1_lanes",
    "stage_2_lanes",
    "dtype",
)
"""Settings that a picture or a decision depends on: a run goes on with the same or not at all."""


def plan_shards(requests: int, requests_per_shard: int) -> list[PlannedShard]:
    """Return consecutive row ranges of the frozen manifest, of equal size but the last.

    Args:
        requests: Rows of the manifest.
        requests_per_shard: At least 1.
    """
    starts = range(0, requests, requests_per_shard)
    return [
        PlannedShard(shard, start, min(start + requests_per_shard, requests))
        for shard, start in enumerate(starts)
    ]


def plan_run(
    requests: Sequence[Request], folder: RunFolder, config: RunConfig, requests_per_shard: int
) -> int:
    """Freeze the requests into a run folder and plan its shards; return how many there are.

    Args:
        requests: What to draw.
        folder: A run folder that does not exist yet, or holds the very same plan.
        config: The run's settings; its manifest hash is filled in.
        requests_per_shard: At least 1.

    Raises:
        ValueError: If the folder holds another run.
    """
    folder.create()
    fresh = folder.path / ".manifest.new.parquet"
    write_manifest(requests, fresh)
    config = replace(config, manifest_sha256=sha256_file(fresh))
    shards = plan_shards(len(requests), requests_per_shard)
    if folder.run_json.is_file():
        fresh.unlink()
        _require_same(folder, config, shards)
        return len(shards)
    fresh.replace(folder.manifest)
    write_plan(shards, folder.plan)
    write_json(folder.run_json, config.to_json())
    return len(shards)


def _require_same(folder: RunFolder, config: RunConfig, shards: list[PlannedShard]) -> None:
    """Refuse to resume a run with anything that would change its pictures."""
    before, now = read_json(folder.run_json), config.to_json()
    for name in DECISIVE:
        if before.get(name) != now[name]:
            raise ValueError(
                f"{folder.path} is a run with {name} {before.get(name)!r}, now it is "
                f"{now[name]!r}; give another --run, or the settings of before"
            )
    if read_plan(folder.plan) != shards:
        raise ValueError(
            f"{folder.path} was planned with other shards; give the same --requests-per-shard"
        )
