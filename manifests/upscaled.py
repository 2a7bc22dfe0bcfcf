"""Stage III's tables: which candidates were picked, and their large pictures."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.layout import RunFolder
from manifests.picks import PICKED
from manifests.records import Upscaled
from manifests.schemas import UPSCALED
from manifests.tables import read_rows, to_records, write_table

Key = tuple[str, int]


def read_picks(words: Iterable[str]) -> list[Key]:
    """Return what a user picked, once each, in order.

    Args:
        words: `REQUEST:CANDIDATE`, or paths of CSV or Parquet files with the columns request_id
            and candidate. Where they have a rating, as `picks.parquet` has, 3 is the least of a
            pick; what is crossed out has none.

    Raises:
        ValueError: If a word is neither, or a file lacks the columns.
    """
    picks: dict[Key, None] = {}
    for word in words:
        path = Path(word)
        if path.suffix in (".csv", ".parquet"):
            picks |= dict.fromkeys(_read_file(path))
            continue
        request_id, colon, candidate = word.rpartition(":")
        if not colon or not candidate.isdecimal():
            raise ValueError(
                f"pick {word!r} is neither REQUEST:CANDIDATE nor a CSV or Parquet file; "
                "`fundiff top` shows both"
            )
        picks[request_id, int(candidate)] = None
    return list(picks)


def _read_file(path: Path) -> Iterator[Key]:
    try:
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        for row in rows:
            if "rating" not in row or int(row["rating"] or 0) >= PICKED:
                yield str(row["request_id"]), int(row["candidate"])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds no picks ({str(error).splitlines()[0]}); "
            "it needs the columns request_id and candidate"
        ) from error


def write_upscaled(folder: RunFolder, order: int, rows: Sequence[Upscaled]) -> None:
    """Write what was drawn for an order as a new file."""
    write_table(rows, UPSCALED, folder.new_upscaled(order))


def drawn_for(folder: RunFolder, order: int) -> dict[Key, bool]:
    """Return the candidates that an order has rows of, and whether each has its picture."""
    keys: dict[Key, bool] = {}
    for path in folder.upscaled.glob(f"part-{order:05d}-*.parquet"):
        for row in read_rows(
            path, UPSCALED, ["request_id", "candidate", "error_type"]
        ).to_pylist():
            key = row["request_id"], row["candidate"]
            keys[key] = keys.get(key, False) or row["error_type"] is None
    return keys


def read_upscaled(folder: RunFolder) -> Iterator[Upscaled]:
    """Yield the rows of every order, failed ones included, the oldest order first."""
    for path in sorted(folder.upscaled.glob("part-*.parquet")):
        yield from to_records(read_rows(path, UPSCALED), Upscaled)


@dataclass(frozen=True, slots=True)
class Enlarged:
    """Where a candidate's large picture lies.

    Attributes:
        path: File of the stage III rows.
        row: Row of that file.
        order: That it was drawn for.
        model: The upscaler.
    """

    path: Path
    row: int
    order: int
    model: str


def enlarged(folder: RunFolder) -> dict[Key, Enlarged]:
    """Return where the large pictures of a run lie; of several orders the newest counts."""
    found: dict[Key, Enlarged] = {}
    columns = ["request_id", "candidate", "order", "error_type", "model"]
    for path in sorted(folder.upscaled.glob("part-*.parquet")):
        for number, row in enumerate(read_rows(path, UPSCALED, columns).to_pylist()):
            if row["error_type"] is None:
                place = Enlarged(path, number, row["order"], row["model"])
                found[row["request_id"], row["candidate"]] = place
    return found


def read_enlarged(place: Enlarged) -> bytes:
    """Return the PNG file of a large picture."""
    table = read_rows(place.path, UPSCALED, ["image"])
    png: bytes = table["image"][place.row].as_py()["bytes"]
    return png
