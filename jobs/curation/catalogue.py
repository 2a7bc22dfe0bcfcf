"""What a page is told of a run's candidates: compact, without pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow.parquet as pq

from jobs.curation.looks import Look, look_of, words
from jobs.curation.looks import has_original as starts_from_one
from manifests.layout import RunFolder

Row = Mapping[str, Any]
"""A row as `top` returns it: of the index, with `rank` and the request's prompts and views."""

NUMBERS = (
    "alignment",
    "concealment",
    "near",
    "far",
    "far_shrunk",
    "change_distance",
    "split",
    "source_distance",
    "seam",
    "kept_error",
    "mean_rank",
    "held_out",
    "glimpse_score",
    "stage_1_score",
)
"""Columns that a candidate's details show where they have a value."""


def describe(
    rows: Iterable[Row],
    keeps: Mapping[str, str],
    enlarged: Mapping[tuple[str, int], int],
) -> dict[str, Any]:
    """Return requests, their looks, and columns of candidates, in the order of the rows.

    Args:
        rows: Candidates; those of a request one after another.
        keeps: Request -> the view whose component it keeps, for inverse problems.
        enlarged: Candidate -> the order that its large picture was drawn for.
    """
    looks: dict[Look, int] = {}
    requests: dict[str, list[Any]] = {}
    numbers: dict[str, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for row in rows:
        request_id = row["request_id"]
        if request_id not in requests:
            look = looks.setdefault(look_of_row(row), len(looks))
            numbers[request_id] = len(numbers)
            requests[request_id] = _request(row, look, keeps.get(request_id, ""))
        columns["request"].append(numbers[request_id])
        for name, value in _candidate(row, enlarged).items():
            columns[name].append(value)
    return {
        "looks": [asdict(look) for look in looks],
        "requests": list(requests.values()),
        "candidates": columns,
    }


_COLUMNS = ("request", "number", "rank", "status", "score", "stage", "enlarged")


def details(row: Row) -> dict[str, Any]:
    """Return what a page shows of one candidate when it is opened."""
    numbers = [
        (name.replace("_", " "), row[name]) for name in NUMBERS if row.get(name) is not None
    ]
    return {"seed": str(row["seed"]), "reason": row.get("reason", ""), "numbers": numbers}


def with_details(row: Row, enlarged: Mapping[tuple[str, int], int]) -> dict[str, Any]:
    """Return one candidate of an opened request, with its details."""
    return _candidate(row, enlarged) | {"details": details(row)}


def look_of_row(row: Row) -> Look:
    """Return how a candidate's picture is shown."""
    return look_of(row["kind"], row["views"], starts_from_one(row["kind"]))


def keeps_of(folder: RunFolder) -> dict[str, str]:
    """Return the kept component's view of every inverse problem of a run, by request."""
    table = pq.read_table(
        folder.manifest, columns=["request_id", "keep"], filters=[("keep", "!=", "")]
    )
    return {row["request_id"]: row["keep"] for row in table.to_pylist()}


def _request(row: Row, look: int, keep: str) -> list[Any]:
    prompts = [f"{row['style']} {prompt}".strip() for prompt in row["prompts"]]
    return [
        row["request_id"],
        row["kind"],
        look,
        prompts,
        list(row["tags"]),
        words(keep) if keep else "",
    ]


def _candidate(row: Row, enlarged: Mapping[tuple[str, int], int]) -> dict[str, Any]:
    score = row["score"]
    return {
        "number": row["candidate"],
        "rank": row["rank"],
        "status": row["status"],
        "score": None if score is None else round(score, 6),
        "stage": row["stage"],
        "enlarged": enlarged.get((row["request_id"], row["candidate"])),
    }
