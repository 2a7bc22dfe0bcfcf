"""Where the pictures of stage III lie, so that each is read when its turn comes."""

from dataclasses import dataclass
from pathlib import Path

from manifests.layout import RunFolder
from manifests.schemas import UPSCALED
from manifests.tables import read_rows
from manifests.upscaled import Key


@dataclass(frozen=True, slots=True)
class Enlarged:
    """Where a candidate's large picture lies.

    Attributes:
        path: File of the stage III rows.
        row: Row of that file.
        model: The upscaler.
    """

    path: Path
    row: int
    model: str


def enlarged(folder: RunFolder) -> dict[Key, Enlarged]:
    """Return where the large pictures of a run lie; of several orders the newest counts."""
    found: dict[Key, Enlarged] = {}
    columns = ["request_id", "candidate", "error_type", "model"]
    for path in sorted(folder.upscaled.glob("part-*.parquet")):
        for number, row in enumerate(read_rows(path, UPSCALED, columns).to_pylist()):
            if row["error_type"] is None:
                found[row["request_id"], row["candidate"]] = Enlarged(path, number, row["model"])
    return found


def read_enlarged(place: Enlarged) -> bytes:
    """Return the PNG file of a large picture."""
    table = read_rows(place.path, UPSCALED, ["image"])
    png: bytes = table["image"][place.row].as_py()["bytes"]
    return png
