"""From a manifest to a run folder: frozen, hashed, cut into shards."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jobs.config import RunConfig
from manifests.files import publish, read_json, sha256_file
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.plan import PlannedShard, read_plan, write_plan
from manifests.records import Request

DECISIVE = (
    "model",
    "stage_2",
    "judges",
    "held_out",
    "bars",
    "revision",
    "seed",
    "stage_1_lanes",
    "stage_2_lanes",
    "dtype",
    "device",
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
    _refuse_foreign(folder)
    folder.create()
    fresh = folder.path / f".manifest-{uuid.uuid4().hex}.parquet"
    try:
        write_manifest(requests, fresh)
        config = replace(config, manifest_sha256=sha256_file(fresh))
        shards = plan_shards(len(requests), requests_per_shard)
        write_plan(shards, plan := fresh.with_suffix(".plan"))
        # Of two launchers at once one is first; the other must want the same.
        if not publish(folder.run_json, config.to_json()):
            require_same(folder, config, plan)
        if not folder.plan.is_file():
            fresh.replace(folder.manifest)
            plan.replace(folder.plan)
    finally:
        fresh.unlink(missing_ok=True)
        fresh.with_suffix(".plan").unlink(missing_ok=True)
    return len(shards)


def require_same(folder: RunFolder, config: RunConfig, plan: Path) -> None:
    """Refuse to go on with a run if anything differs that its pictures depend on.

    Args:
        folder: A run.
        config: What is asked for now.
        plan: The plan that is asked for now.

    Raises:
        ValueError: With what differs.
    """
    before, now = read_json(folder.run_json), config.to_json()
    if before.get("manifest_sha256") != now["manifest_sha256"]:
        raise ValueError(
            f"{folder.path} is a run of another manifest; give another --run, or the manifest of "
            "before"
        )
    for name in DECISIVE:
        if before.get(name) != now[name]:
            raise ValueError(
                f"{folder.path} is a run with {name} {before.get(name)!r}, now it is "
                f"{now[name]!r}; give another --run, or the settings of before"
            )
    if folder.plan.is_file() and read_plan(folder.plan) != read_plan(plan):
        raise ValueError(
            f"{folder.path} was planned with other shards; give the same --requests-per-shard"
        )


def _refuse_foreign(folder: RunFolder) -> None:
    """Refuse a folder that holds something else than a run."""
    if not folder.path.exists() or folder.run_json.is_file():
        return
    if not folder.path.is_dir():
        raise ValueError(f"{folder.path} is a file; give a folder to --run")
    own = {part.name for part in (folder.embeddings, folder.results, folder.markers,
                                  folder.journal, folder.slurm)}  # fmt: skip
    foreign = [p.name for p in folder.path.iterdir() if p.name not in own and p.name[0] != "."]
    if foreign:
        raise ValueError(
            f"{folder.path} holds {foreign[0]!r} and is no run; give a new folder to --run"
        )
