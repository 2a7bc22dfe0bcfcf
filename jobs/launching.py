"""From a manifest and options to a run that is under way."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from jobs.config import RunConfig, code_version
from jobs.planning import plan_run
from jobs.reading import read_requests_from
from jobs.submitting import Watch, dry_run, run_inline, run_processes, submit_slurm
from manifests.layout import RunFolder
from manifests.manifest import count_requests
from manifests.plan import read_plan
from slurm.limits import read_limits
from slurm.profiles import Profile, load_profile

CPU_LANES = (16, 8)
GPU_LANES = (64, 32)
"""Default lanes of stage I and stage II."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What `fundiff submit` was asked for.

    Attributes:
        manifest: CSV, JSONL, YAML or Parquet.
        run: The run folder; if it exists, the same run goes on.
        cluster: `slurm`, `local` or `inline`.
        model: `mini`, a hub id or a folder.
        stage_2: Hub id or folder of stage II, or None for the model's own.
        judge: Hub id or folder of the judge, or None for the model's own.
        revision: Git revision on the hub, or None.
        seed: Of the run.
        profile: Name or path of the SLURM profile, or None for the cluster's default.
        requests_per_shard: Requests that one task works.
        lanes: Rows of stage I's batch, or None for the profile's.
        stage_2_lanes: Rows of stage II's batch, or None for the profile's.
        dtype: Of the networks, or None for the profile's or the device's.
        device: Or None for a GPU if there is one.
        parallel: Processes at once with `local`, or None for one.
    """

    manifest: Path
    run: Path
    cluster: str = "local"
    model: str = "mini"
    stage_2: str | None = None
    judge: str | None = None
    revision: str | None = None
    seed: int = 0
    profile: str | None = None
    requests_per_shard: int = 8
    lanes: int | None = None
    stage_2_lanes: int | None = None
    dtype: str | None = None
    device: str | None = None
    parallel: int | None = None

    def load_profile(self) -> Profile:
        """Return the named profile, or the built-in `gpu` on SLURM and `cpu` elsewhere."""
        return load_profile(self.profile or ("gpu" if self.cluster == "slurm" else "cpu"))


def launch(asked: Launch, watch: Watch) -> list[str]:
    """Plan a run and draw it, or submit it; return what there is to say.

    Args:
        asked: What to do.
        watch: Told how far the run is, now and then.

    Raises:
        ValueError: If something is wrong with the manifest, the options, the run folder or SLURM.
    """
    profile = asked.load_profile()
    limits = read_limits() if asked.cluster == "slurm" else None
    folder = _plan(asked, profile)
    if asked.cluster == "inline":
        run_inline(folder, watch)
        return []
    if asked.cluster == "local":
        return run_processes(folder, asked.parallel or 1, watch)
    assert limits is not None
    jobs = submit_slurm(folder, profile, limits)
    return [f"submitted {len(jobs)} tasks, {jobs[0]} to {jobs[-1]}: `fundiff status {asked.run}`"]


def show_dry_run(out: Console, asked: Launch) -> None:
    """Print the plan, what SLURM would be sent, its limits and its verdict; submit nothing."""
    profile = asked.load_profile()
    with tempfile.TemporaryDirectory() as aside:
        folder = _plan(replace(asked, run=Path(aside) / asked.run.name), profile)
        requests, shards = count_requests(folder.manifest), len(read_plan(folder.plan))
        out.print(f"{requests} requests in {shards} shards, run folder {asked.run}")
        if asked.cluster != "slurm":
            return
        limits = read_limits()
        plan = dry_run(folder, profile, limits)
    sizes = ", ".join(str(part.count) for part in plan.arrays)
    out.print(f"arrays of {sizes} tasks; MaxArraySize is {limits.max_array_size}")
    for text, verdict in zip(plan.sbatch, plan.verdicts, strict=True):
        out.rule(verdict, align="left")
        out.print(text, highlight=False, markup=False)


def _plan(asked: Launch, profile: Profile) -> RunFolder:
    """Check the manifest and freeze it into the run folder."""
    requests, problems = read_requests_from(asked.manifest)
    if any(problem.severity == "error" for problem in problems):
        raise ValueError(
            f"{asked.manifest} has bad rows; `fundiff manifest check {asked.manifest}` lists them"
        )
    if not requests:
        raise ValueError(f"{asked.manifest} holds no requests; there is nothing to draw")
    on_gpu = bool(profile.gpus_per_task) or "gpu" in (profile.gres or "")
    lanes, stage_2_lanes = GPU_LANES if on_gpu else CPU_LANES
    config = RunConfig(
        model=_absolute(asked.model),
        stage_2=asked.stage_2 and _absolute(asked.stage_2),
        judge=asked.judge and _absolute(asked.judge),
        revision=asked.revision,
        seed=asked.seed,
        stage_1_lanes=asked.lanes or profile.lanes or lanes,
        stage_2_lanes=asked.stage_2_lanes or profile.stage_2_lanes or stage_2_lanes,
        dtype=asked.dtype or profile.dtype,
        device=asked.device or ("cuda" if on_gpu else None),  # a GPU that is missing must show
        profile=profile.name,
        code_version=code_version(),
    )
    _ = config.cascade  # refuses a model without a second stage, before anything is written
    folder = RunFolder(asked.run)
    plan_run(requests, folder, config, asked.requests_per_shard)
    return folder


def _absolute(model: str) -> str:
    """Return a folder's absolute path, since tasks may start elsewhere; a name stays a name."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() and model != "mini" else model
