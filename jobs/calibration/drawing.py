"""Draws the controls of a run: a run of its own, by the same path and with the same settings."""

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from jobs.calibration.controls import Control, choose, control_requests, controls_in
from jobs.config import RunConfig
from jobs.launching import Launch, launch
from jobs.submitting import Watch
from manifests.files import read_json
from manifests.layout import RunFolder
from manifests.manifest import read_manifest, write_manifest
from manifests.progress import progress
from manifests.records import Request

PER_KIND, CANDIDATES = 16, 8
"""Requests of each kind, and candidates of each sort of control, if not asked otherwise."""


def draw_controls(
    folder: RunFolder,
    requests: Mapping[str, Request],
    per_kind: int | None,
    candidates: int | None,
    first: Collection[str],
    launched: Mapping[str, object],
    watch: Watch,
    say: Callable[[str], object],
) -> list[Control]:
    """Draw the controls of a run, or go on where that was stopped; return what they are for.

    Args:
        folder: The run.
        requests: Of the run, by id.
        per_kind: Requests of each kind that get controls; those of before, or 16, if None.
        candidates: Of each sort of control; as before, or 8, if None.
        first: Requests that are to get controls before others.
        launched: Where to draw: fields of `jobs.launching.Launch`.
        watch: As for `launch`.
        say: Likewise.

    Raises:
        ValueError: If other controls were drawn before, or not all could be drawn now.
    """
    controls = RunFolder(folder.controls)
    wanted = _planned(controls, requests, per_kind, candidates)
    if wanted is None:
        chosen = choose(requests.values(), per_kind or PER_KIND, first)
        wanted = control_requests(chosen, candidates or CANDIDATES)
    if not wanted:
        return []
    if not controls.plan.is_file() or progress(controls).unfinished:
        with tempfile.TemporaryDirectory() as aside:
            manifest = Path(aside) / "controls.parquet"
            write_manifest(wanted, manifest)
            for line in launch(_launch(folder, manifest, launched), watch, say):
                say(line)
    now = progress(controls)
    if now.unfinished:
        raise ValueError(
            f"{len(now.unfinished)} of {now.shards} shards of {controls.path} could not be drawn; "
            "the same `fundiff calibrate` again goes on"
        )
    return controls_in(wanted)


def _planned(
    controls: RunFolder,
    requests: Mapping[str, Request],
    per_kind: int | None,
    candidates: int | None,
) -> list[Request] | None:
    """Return the requests of controls that were planned before, or None.

    Raises:
        ValueError: If they are not what is asked for now.
    """
    if not controls.plan.is_file():
        return None
    before = read_manifest(controls.manifest)
    originals = {control.original for control in controls_in(before)}
    if not originals <= requests.keys():
        raise ValueError(f"{controls.path} holds controls of another run; remove that folder")
    if (per_kind or candidates) and not _is_asked(before, requests, per_kind, candidates):
        raise ValueError(
            f"{controls.path} holds controls for {len(originals)} requests that were drawn with "
            "other --requests or --candidates; leave both out, or remove that folder"
        )
    return before


def _is_asked(
    before: Sequence[Request],
    requests: Mapping[str, Request],
    per_kind: int | None,
    candidates: int | None,
) -> bool:
    """Return whether controls of before are as many as asked for now."""
    originals = {control.original for control in controls_in(before)}
    if candidates:
        again = control_requests([requests[each] for each in sorted(originals)], candidates)
        if {each.request_id for each in again} != {each.request_id for each in before}:
            return False
    if per_kind:
        now = control_requests(choose(requests.values(), per_kind), 1)
        return len({control.original for control in controls_in(now)}) == len(originals)
    return True


def _launch(folder: RunFolder, manifest: Path, launched: Mapping[str, object]) -> Launch:
    """Return how controls are drawn: with the run's own settings, which decide its bits."""
    config = RunConfig.from_json(read_json(folder.run_json))
    settings: dict[str, object] = {
        "manifest": manifest,
        "run": folder.controls,
        "model": config.model,
        "stage_2": config.stage_2,
        "judge": config.judges,
        "revision": config.revision,
        "seed": config.seed,
        "lanes": config.stage_1_lanes,
        "stage_2_lanes": config.stage_2_lanes,
        "dtype": config.dtype,
        "device": config.device,
    }
    return Launch(**(settings | dict(launched)))  # type: ignore[arg-type]
