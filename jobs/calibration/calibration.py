"""The file of a calibration: what is known of each judge, by kind of request."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jobs.calibration.controls import KINDS, SORTS
from jobs.calibration.exhibits import DRAWN
from jobs.calibration.verdicts import PICKED, KindVerdict
from jobs.statistics import Estimate
from manifests.files import read_json, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two judges rank the same pictures.

    Attributes:
        judges: The two.
        spearman: Mean rank correlation within requests, or None if one does not vary.
    """

    judges: tuple[str, str]
    spearman: Estimate | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What `fundiff calibrate` found out on one run.

    Attributes:
        run: Name of the run's folder.
        made_at: When, ISO 8601.
        judges: Hub id or folder of a judge -> kind -> the verdict.
        agreement: Of every two judges.
        schema_version: Of the file.
    """

    run: str
    made_at: str
    judges: dict[str, dict[str, KindVerdict]]
    agreement: tuple[Agreement, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def bars(self, judge: str) -> dict[str, float]:
        """Return the least score of an accepted candidate by kind, for this judge.

        Raises:
            ValueError: If the judge was not calibrated.
        """
        if judge not in self.judges:
            known = ", ".join(self.judges)
            raise ValueError(
                f"judge {judge!r} is not in the calibration of {self.run}, which knows {known}; "
                f"run `fundiff calibrate` with --judge {judge}"
            )
        return {
            kind: verdict.accept
            for kind, verdict in self.judges[judge].items()
            if verdict.accept is not None
        }


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON, whole or not at all."""
    write_json(path, asdict(calibration))


def read_calibration(path: Path) -> Calibration:
    """Return the calibration that a file holds.

    Raises:
        ValueError: If it holds none, or anything in it is not as it must be.
    """
    try:
        return _calibration(_object(read_json(path), "the file"))
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = " ".join(str(error).split())
    raise ValueError(f"{path} is no calibration: {problem}; make one with `fundiff calibrate RUN`")


def _calibration(data: dict[str, Any]) -> Calibration:
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"schema_version is {data.get('schema_version')!r:.40}, this fundiff reads "
            f"{SCHEMA_VERSION}"
        )
    _only(data, Calibration)
    agreement = data["agreement"]
    if not isinstance(agreement, list):
        raise ValueError("agreement is no list")  # noqa: TRY004
    judges = {
        judge: {
            _one_of(kind, KINDS, "kind"): _verdict(_object(verdict, kind))
            for kind, verdict in _object(kinds, "a judge").items()
        }
        for judge, kinds in _object(data["judges"], "judges").items()
    }
    return Calibration(
        _text(data["run"], "run"),
        _text(data["made_at"], "made_at"),
        judges,
        tuple(_agreement(_object(each, "agreement"), judges) for each in agreement),
    )


def _verdict(data: dict[str, Any]) -> KindVerdict:
    _only(data, KindVerdict)
    may_select = data["may_select"]
    if may_select is not None and not isinstance(may_select, bool):
        raise ValueError("may_select is neither true, false nor null")
    auc = {
        _one_of(sort, (*SORTS, "together"), "sort of control"): _estimate(each, "auc", 0, 1)
        for sort, each in _object(data["auc"], "auc").items()
    }
    return KindVerdict(
        may_select,
        _text(data["why"], "why"),
        _one_of(data["positives"], (DRAWN, PICKED), "positives"),
        auc,
        _maybe(_estimate, data["auc_of_picks"], "auc_of_picks", 0, 1),
        _maybe(_estimate, data["spearman"], "spearman", -1, 1),
        _maybe(_number, data["spearman_overall"], "spearman_overall", -1, 1),
        _maybe(_number, data["accept"], "accept", -2, 2),
        _number(data["false_accepts"], "false_accepts", 0, 1),
        _maybe(_number, data["passes"], "passes", 0, 1),
        *(_count(data[name], name) for name in ("reached", "controls", "requests")),
    )


def _agreement(data: dict[str, Any], judges: dict[str, Any]) -> Agreement:
    _only(data, Agreement)
    pair = data["judges"]
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError("agreement is not of two judges")
    first, second = (_one_of(judge, tuple(judges), "judge") for judge in pair)
    spearman = _maybe(_estimate, data["spearman"], "spearman", -1, 1)
    return Agreement((first, second), spearman)


def _estimate(data: Any, name: str, low: float, high: float) -> Estimate:
    found = _object(data, name)
    _only(found, Estimate)
    value, lower, upper = (_number(found[n], name, low, high) for n in ("value", "low", "high"))
    if lower > upper:
        raise ValueError(f"{name} has the interval {lower:g} to {upper:g}")
    return Estimate(value, lower, upper, _count(found["requests"], name))


def _maybe(read: Any, data: Any, name: str, low: float, high: float) -> Any:
    return None if data is None else read(data, name, low, high)


def _only(data: dict[str, Any], record: type[Any]) -> None:
    """Refuse an object whose keys are not a record's."""
    wrong = {field.name for field in fields(record)} ^ data.keys()
    if wrong:
        raise ValueError(f"{sorted(wrong)[0]!r:.40} is missing or unknown")


def _object(data: Any, name: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{name} is no object")  # noqa: TRY004 - a user's file, not a caller's type
    return data


def _text(data: Any, name: str) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004
    return data


def _one_of(data: Any, allowed: tuple[str, ...], name: str) -> str:
    if not isinstance(data, str) or data not in allowed:
        raise ValueError(f"{name} {data!r:.40} is unknown; choose from {', '.join(allowed)}")
    return data


def _number(data: Any, name: str, low: float, high: float) -> float:
    number = float(data) if type(data) in (int, float) and abs(data) < 2**53 else math.nan
    if not low <= number <= high:
        raise ValueError(f"{name} is {data!r:.40}, no number from {low:g} to {high:g}")
    return number


def _count(data: Any, name: str) -> int:
    if type(data) is not int or not 0 <= data < 2**53:
        raise ValueError(f"{name} has the count {data!r:.40}")
    return data
