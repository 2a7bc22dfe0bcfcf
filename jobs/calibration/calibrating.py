"""Tries judges on a run: draws controls, scores them and the candidates, and says what follows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from fundiff.catalogue import absolute, check_folder
from jobs.calibration.calibration import Agreement, Calibration
from jobs.calibration.controls import KINDS, Control, choose
from jobs.calibration.drawing import PER_KIND, draw_controls
from jobs.calibration.exhibits import Exhibit, gather, scores_of
from jobs.calibration.ratings import Key, Opinion, read_ratings
from jobs.calibration.verdicts import KindVerdict, verdict_on
from jobs.config import RunConfig
from jobs.statistics import Estimate, spearman_within
from jobs.submitting import Watch
from manifests.files import read_json
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
from manifests.records import Request


@dataclass(frozen=True, slots=True)
class Trial:
    """What `fundiff calibrate` was asked for.

    Attributes:
        run: The run folder.
        judges: Hub ids or folders; none are the run's own.
        picks: CSV or Parquet of what people said, or None for the run's own, if it has any.
        requests: Of each kind that get controls, or None for 16.
        candidates: Of each sort of control, or None for 8.
        false_accepts: Share of controls that may reach the bar.
        cluster: `local` or `inline`.
        parallel: Processes at once with `local`.
    """

    run: Path
    judges: tuple[str, ...] = ()
    picks: Path | None = None
    requests: int | None = None
    candidates: int | None = None
    false_accepts: float = 0.05
    cluster: str = "local"
    parallel: int | None = None


def calibrate(
    trial: Trial, watch: Watch, say: Callable[[str], object] = lambda _: None
) -> Calibration:
    """Return what is known of the judges after a trial.

    The controls are drawn first, unless they were before.

    Raises:
        ValueError: If the run, the picks or a judge cannot be used.
    """
    folder = RunFolder(trial.run)
    config = RunConfig.from_json(read_json(folder.run_json))
    named = map(absolute, trial.judges)
    judges = tuple(dict.fromkeys(named)) or config.all_judges
    for judge in judges:
        check_folder(judge, "config.json")
    requests = requests_by_id(folder.manifest)
    opinions = _opinions(folder, trial.picks, requests)
    rated = {request_id for request_id, _ in opinions}
    launched = {"cluster": trial.cluster, "parallel": trial.parallel}
    controls = draw_controls(
        folder, requests, trial.requests, trial.candidates, rated, launched, watch, say
    )
    chosen = _chosen(requests, controls, trial.requests or PER_KIND, rated)
    exhibits = gather(folder, requests, chosen, controls, opinions.keys())
    scores = {judge: scores_of(judge, config.device, requests, exhibits) for judge in judges}
    return Calibration(
        folder.path.resolve().name,
        datetime.now(UTC).isoformat(timespec="seconds"),
        {
            judge: _by_kind(exhibits, said, requests, opinions, trial.false_accepts)
            for judge, said in scores.items()
        },
        tuple(
            Agreement((a, b), _agreement(exhibits, scores[a], scores[b]))
            for a, b in combinations(judges, 2)
        ),
    )


def _chosen(
    requests: Mapping[str, Request],
    controls: Sequence[Control],
    per_kind: int,
    rated: Collection[str],
) -> list[Request]:
    """Return the requests that judges are tried on: those that controls were drawn for.

    Of kinds whose controls need no drawing, any will do.
    """
    drawn = [requests[each] for each in sorted({control.original for control in controls})]
    kinds = {request.kind for request in drawn}
    others = (request for request in requests.values() if request.kind not in kinds)
    return drawn + choose(others, per_kind, rated)


def _opinions(
    folder: RunFolder, picks: Path | None, requests: Mapping[str, Request]
) -> dict[Key, Opinion]:
    """Return what people said of candidates of kinds that judges are tried on."""
    path = picks or folder.picks
    if picks is None and not path.is_file():
        return {}
    said = read_ratings(path)
    if foreign := next((key for key in said if key[0] not in requests), None):
        raise ValueError(
            f"{path} speaks of request {foreign[0]!r}, which {folder.path} does not have; "
            "give the picks of this run"
        )
    return {key: opinion for key, opinion in said.items() if requests[key[0]].kind in KINDS}


def _by_kind(
    exhibits: Sequence[Exhibit],
    scores: Sequence[float],
    requests: Mapping[str, Request],
    opinions: Mapping[Key, Opinion],
    false_accepts: float,
) -> dict[str, KindVerdict]:
    """Return a judge's verdicts, kind by kind."""
    kinds = [requests[exhibit.request_id].kind for exhibit in exhibits]
    found = {}
    for kind in KINDS:
        numbers = [number for number, each in enumerate(kinds) if each == kind]
        if numbers:
            found[kind] = verdict_on(
                [exhibits[n] for n in numbers],
                [scores[n] for n in numbers],
                opinions,
                false_accepts,
            )
    return found


def _agreement(
    exhibits: Sequence[Exhibit], first: Sequence[float], second: Sequence[float]
) -> Estimate | None:
    """Return how two judges' scores of the same pictures go together, within requests."""
    groups: dict[str, tuple[list[float], list[float]]] = {}
    for exhibit, a, b in zip(exhibits, first, second, strict=True):
        ours, theirs = groups.setdefault(exhibit.request_id, ([], []))
        ours.append(a)
        theirs.append(b)
    return spearman_within(list(groups.values()))
