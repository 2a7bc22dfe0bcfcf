"""The pictures of a candidate by the names that a page calls them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

from jobs.cards import cut_original, readings_of
from jobs.curation.looks import has_original, look_of
from jobs.curation.picture_reader import PictureReader
from jobs.pictures import image_of
from manifests.layout import RunFolder
from manifests.schemas import MANIFEST
from manifests.tables import read_rows
from manifests.upscaled import Key, enlarged


@dataclass(frozen=True, slots=True)
class Place:
    """Where a candidate's pictures lie, and how they are read.

    Attributes:
        request_id: The request.
        candidate: The candidate.
        kind: Of the request.
        views: Of the request.
        part: File below the run folder that has the pictures.
        row: Row of that file.
    """

    request_id: str
    candidate: int
    kind: str
    views: tuple[str, ...]
    part: str
    row: int


def place_of(row: Mapping[str, Any]) -> Place:
    """Return where the pictures of a row of `top` lie."""
    return Place(
        intern(row["request_id"]),
        row["candidate"],
        intern(row["kind"]),
        tuple(map(intern, row["views"])),
        intern(row["part"]),
        row["row"],
    )


class RunPictures:
    """Pictures of a run, read one by one; it may be used from several threads.

    Names are `small` (stage I), `large` (stage II, or I if there is no other), `original` (what
    it started from), `reading-0` and so on (what is seen in the views that a page cannot make
    itself, in the order of the look) and `enlarged` (stage III).
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._reader = PictureReader()
        self._enlarged = enlarged(folder)
        self._requests = lru_cache(1)(self._rows_of_requests)

    @property
    def enlarged(self) -> dict[Key, int]:
        """Candidate -> the order that its large picture was drawn for, where there is one."""
        return {key: place.order for key, place in self._enlarged.items()}

    def read(self, place: Place, name: str) -> bytes | None:
        """Return a picture's file, or None if the candidate has none of this name."""
        path = self._folder.path / place.part
        first, second = "stage_1_image", "image"
        match name.partition("-"):
            case ("small", "", ""):
                columns = (first, second)
            case ("large", "", ""):
                columns = (second, first)
            case ("original", "", ""):
                return self._original(place)
            case ("enlarged", "", ""):
                return self._read_enlarged(place)
            case ("reading", _, number) if number.isdecimal():
                return self._reading(place, int(number))
            case _:
                return None
        found = (self._reader.read(path, place.row, column) for column in columns)
        return next((picture for picture in found if picture is not None), None)

    def _original(self, place: Place) -> bytes | None:
        picture = self.read(place, "large")
        row = self._requests().get(place.request_id)
        if not has_original(place.kind) or picture is None or row is None:
            return None
        image = self._reader.read(self._folder.manifest, row, "image")
        mask = self._reader.read(self._folder.manifest, row, "mask")
        return image and cut_original(image, mask, image_of(picture).size)

    def _reading(self, place: Place, number: int) -> bytes | None:
        names: Sequence[str] = look_of(place.kind, place.views, False).readings
        picture = self.read(place, "large")
        if picture is None or number >= len(names):
            return None
        return readings_of([names[number]], picture)[names[number]]

    def _read_enlarged(self, place: Place) -> bytes | None:
        found = self._enlarged.get((place.request_id, place.candidate))
        return self._reader.read(found.path, found.row, "image") if found else None

    def _rows_of_requests(self) -> dict[str, int]:
        ids = read_rows(self._folder.manifest, MANIFEST, ["request_id"])["request_id"]
        return {request_id: row for row, request_id in enumerate(ids.to_pylist())}
