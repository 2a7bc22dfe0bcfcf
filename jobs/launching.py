"""From a manifest and options to a run that is under way."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fundiff.catalogue import Cascade, absolute, check_folder, picture_size
from fundiff.view_names import view
from jobs import steps
from jobs.budget import describe_budget
from jobs.calibration.calibration import read_calibration
from jobs.config import RunConfig, code_version
from jobs.planning import plan_run, require_same
from jobs.reading import SourceError, read_requests_from
from jobs.submitting import (
    Watch,
    describe_slurm,
    open_shards,
    run_inline,
    run_processes,
    submit_slurm,
)
from manifests.files import read_json
from manifests.layout import RunFolder
from manifests.plan import read_plan
from manifests.records import Request
from slurm.limits import read_limits
from slurm.profiles import Profile, profile_for

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
        judge: Hub ids or folders of the judges that select; none are the model's own.
        held_out: Hub id or folder of a judge that only reports, or None.
        calibration: File of `fundiff calibrate`, whose bars hold for requests without one.
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
    judge: tuple[str, ...] = ()
    held_out: str | None = None
    calibration: Path | None = None
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
        return profile_for(self.cluster, self.profile)


def launch(
    asked: Launch, watch: Watch, say: Callable[[str], object] = lambda _: None
) -> list[str]:
    """Plan a run and draw it, or submit it; return what there is to say at the end.

    Args:
        asked: What to do.
        watch: Told how far the run is, now and then.
        say: Told what the run will cost, line by line, before anything is drawn or submitted.

    Raises:
        ValueError: If something is wrong with the manifest, the options, the run folder or SLURM.
    """
    profile = asked.load_profile()
    limits = read_limits() if asked.cluster == "slurm" else None
    folder = RunFolder(asked.run)
    requests, config = _plan(asked, profile, folder)
    if not open_shards(folder):
        steps.index(str(folder.path))
        return [f"every shard of {asked.run} is done, there is nothing to draw"]
    for line in describe_budget(requests, config.bars):
        say(line)
    for line in describe_doubts(asked, config, requests):
        say(line)
    if asked.cluster == "inline":
        run_inline(folder, watch)
        return []
    if asked.cluster == "local":
        return run_processes(folder, asked.parallel or 1, watch)
    assert limits is not None
    jobs = submit_slurm(folder, profile, limits)
    return [f"submitted {len(jobs)} tasks, {jobs[0]} to {jobs[-1]}: `fundiff status {asked.run}`"]


def describe(asked: Launch) -> list[str]:
    """Return what `launch` would do, line by line: plan, limits, batch scripts, SLURM's verdicts.

    Raises:
        ValueError: As `launch`; nothing is written and nothing submitted.
    """
    profile = asked.load_profile()
    run = RunFolder(asked.run)
    with tempfile.TemporaryDirectory() as aside:
        planned = RunFolder(Path(aside) / "run")
        requests, config = _plan(asked, profile, planned)
        if run.run_json.is_file():
            require_same(run, RunConfig.from_json(read_json(planned.run_json)), planned.plan)
        shards = open_shards(run if run.plan.is_file() else planned)
        all_shards = len(read_plan(planned.plan))
    lines = [
        f"{len(requests)} requests in {all_shards} shards, {len(shards)} of them to draw; "
        f"run folder {asked.run}",
        *describe_budget(requests, config.bars),
        *describe_doubts(asked, config, requests),
    ]
    if asked.cluster == "slurm" and shards:
        lines += describe_slurm(run, profile, read_limits(), len(shards))
    return lines


def _plan(
    asked: Launch, profile: Profile, folder: RunFolder
) -> tuple[Sequence[Request], RunConfig]:
    """Check manifest and models, and freeze the manifest into the run folder; return it."""
    requests, problems = read_requests_from(asked.manifest)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise SourceError(
            f"{asked.manifest} has {len(errors)} errors ({errors[0].message} ...); "
            f"`fundiff manifest check {asked.manifest}` lists them"
        )
    config = _config(asked, profile)
    config = replace(config, bars=_bars(asked, config))
    config.cascade.check_folders()
    for judge in config.all_judges:
        check_folder(judge, "config.json")
    _require_different(config)
    _require_sizes(requests, config.cascade)
    plan_run(requests, folder, config, asked.requests_per_shard)
    return requests, config


def _require_different(config: RunConfig) -> None:
    """Refuse a judge that is asked twice, whatever its revisions, as far as its name tells."""
    seen: set[str] = set()
    for judge in config.all_judges:
        name = judge if Path(judge).is_dir() else judge.partition("@")[0]
        if name in seen:
            raise ValueError(
                f"judge {judge!r} is named twice; each selects once, or is held out and selects "
                "nothing"
            )
        seen.add(name)


def _bars(asked: Launch, config: RunConfig) -> dict[str, float]:
    """Return the bars of the first judge's calibration, by kind of request.

    Raises:
        ValueError: If the file is no calibration, or knows another judge.
    """
    if asked.calibration is None:
        return {}
    return read_calibration(asked.calibration).bars(config.selecting[0])


def describe_doubts(
    asked: Launch, config: RunConfig, requests: Iterable[Request]
) -> Iterator[str]:
    """Yield what a calibration says against a judge that is to select on its own."""
    if asked.calibration is None or len(config.selecting) > 1:
        return
    verdicts = read_calibration(asked.calibration).judges[config.selecting[0]]
    for kind in sorted({request.kind for request in requests} & verdicts.keys()):
        if not verdicts[kind].may_select:
            yield f"{kind}: the judge should not select on its own: {verdicts[kind].why}"


def _config(asked: Launch, profile: Profile) -> RunConfig:
    """Return the run's settings: what was asked for, else the profile's, else the default."""
    lanes, stage_2_lanes = GPU_LANES if profile.has_gpu else CPU_LANES
    return RunConfig(
        model=absolute(asked.model),
        stage_2=asked.stage_2 and absolute(asked.stage_2),
        judges=tuple(absolute(judge) for judge in asked.judge),
        held_out=asked.held_out and absolute(asked.held_out),
        revision=asked.revision,
        seed=asked.seed,
        stage_1_lanes=asked.lanes or profile.lanes or lanes,
        stage_2_lanes=asked.stage_2_lanes or profile.stage_2_lanes or stage_2_lanes,
        dtype=asked.dtype or profile.dtype,
        device=asked.device or profile.device,
        profile=profile.name,
        code_version=code_version(),
    )


def _require_sizes(requests: Sequence[Request], models: Cascade) -> None:
    """Refuse views with more cells than a stage's pictures have pixels, as far as that is known.

    Raises:
        ValueError: With the view and the size.
    """
    for name in {name for request in requests for name in request.views}:
        cells = view(name).cells
        for model in (models.stage_1, models.stage_2):
            size = picture_size(model)
            if size and size % cells:
                raise ValueError(
                    f"view {name!r} cuts a picture into {cells} cells a side, but {model} draws "
                    f"{size} px; choose fewer, or another model"
                )
