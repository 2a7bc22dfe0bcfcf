"""What people said of candidates: rated, picked or crossed out."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Key = tuple[str, int]
"""Request and candidate."""

LIKED, DISLIKED = 4, 2
"""Ratings, 1 to 5, from which on, and down to which, a candidate counts as one or the other."""

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What people said of one candidate.

    Attributes:
        votes: How many liked it, less how many did not: who rates it 4 or 5, or picks it without
            a rating, likes it; who rates it 1 or 2, or crosses it out, does not.
        rating: Mean of their ratings, or None if nobody gave one.
    """

    votes: int
    rating: float | None


def read_ratings(path: Path) -> dict[Key, Opinion]:
    """Return what a table of picks says of each candidate.

    Args:
        path: CSV or Parquet with the columns request_id and candidate, and rating, rejected or
            both; a row that has neither is a pick.

    Raises:
        ValueError: If it is no such table, with the row.
    """
    said: dict[Key, list[tuple[int | None, bool]]] = {}
    for number, row in enumerate(_rows(path), start=1):
        try:
            key = str(row["request_id"]), int(row["candidate"])
            said.setdefault(key, []).append((_rating(row), _rejected(row)))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} row {number} is no pick ({error}); it needs request_id and candidate, "
                "rating empty or 1 to 5, rejected empty, true or false"
            ) from error
    return {key: _opinion(words) for key, words in said.items()}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            yield from pq.read_table(path).to_pylist()
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file, strict=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, csv.Error, OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"{path} holds no picks ({said}); give a CSV or Parquet file") from error


def _rating(row: dict[str, Any]) -> int | None:
    cell = row.get("rating")
    if cell is None or str(cell).strip() == "":
        return None
    rating = float(cell)
    if rating not in (1, 2, 3, 4, 5):
        raise ValueError(f"rating {cell}")
    return int(rating)


def _rejected(row: dict[str, Any]) -> bool:
    cell = row.get("rejected")
    text = "" if cell is None else str(cell).strip().lower()
    if text not in TRUTHS:
        raise ValueError(f"rejected {cell}")
    return TRUTHS[text]


def _opinion(words: list[tuple[int | None, bool]]) -> Opinion:
    votes = 0
    for rating, rejected in words:
        if rejected or (rating is not None and rating <= DISLIKED):
            votes -= 1
        elif rating is None or rating >= LIKED:
            votes += 1
    given = [rating for rating, _ in words if rating is not None]
    return Opinion(votes, sum(given) / len(given) if given else None)
