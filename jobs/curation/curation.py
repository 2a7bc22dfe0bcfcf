"""A run that is being looked through: what its page and its picks are made of."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from jobs.curation.catalogue import Row, describe, keeps_of, with_details
from jobs.curation.pictures import Place, RunPictures, place_of
from jobs.gallery import run_digest
from manifests.filters import Filters
from manifests.layout import RunFolder
from manifests.picks import Pick, read_picks_table, save_pick, undo
from manifests.ranking import ranking, top
from manifests.upscaled import Key

ALL = 2**31 - 1
"""As many candidates of a request as there may be."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The candidates of a run as the index had them.

    Attributes:
        version: Of the index and of what was upscaled; another one means something new.
        places: Where the pictures of the listed candidates are.
        text: What the page is sent, JSON in gzip.
        pictures: Reads the run's pictures.
    """

    version: str
    places: Mapping[Key, Place]
    text: bytes
    pictures: RunPictures


class Curation:
    """Answers what the page asks about a run; it may be used from several threads.

    The list is made once, and anew when the index has changed.
    """

    def __init__(self, folder: RunFolder, best: int, who: str, **filters: Any) -> None:
        """Take a run with an index.

        Args:
            folder: The run.
            best: Candidates per request in the grid.
            who: Whose picks these are.
            filters: As for `top`.

        Raises:
            ValueError: If there is no index yet, a filter leaves nothing, or the run's picks
                cannot be read.
        """
        read_picks_table(folder)  # what cannot be read must not be found out at the first pick
        self.folder, self.who, self.run = folder, who, run_digest(folder)
        self._best, self._filters = best, filters
        self._lock = Lock()
        self._catalogue = self._make(self._version())
        self._requests = lru_cache(64)(self._rows_of_request)

    def catalogue(self) -> Catalogue:
        """Return the candidates as the index has them now."""
        with self._lock:
            version = self._version()
            if version != self._catalogue.version:
                self._catalogue = self._make(version)
        return self._catalogue

    def request(self, request_id: str) -> list[dict[str, Any]] | None:
        """Return all candidates of a request that have a picture, or None if there is none."""
        catalogue = self.catalogue()
        try:
            rows, _ = self._requests(catalogue.version, request_id)
        except ValueError:
            return None
        return [with_details(row, catalogue.pictures.enlarged) for row in rows]

    def picture(self, request_id: str, candidate: int, name: str) -> bytes | None:
        """Return a picture by the name that the page calls it, or None if there is none."""
        place = self.place(request_id, candidate)
        return self._catalogue.pictures.read(place, name) if place else None

    def place(self, request_id: str, candidate: int) -> Place | None:
        """Return where a candidate's pictures are, or None if the run has no such candidate."""
        catalogue = self.catalogue()
        found = catalogue.places.get((request_id, candidate))
        if found is None:
            try:
                _, places = self._requests(catalogue.version, request_id)
            except ValueError:
                return None
            found = places.get(candidate)
        return found

    def picks(self) -> list[list[Any]]:
        """Return everybody's words: key, who, rating, rejected, when."""
        return [
            [
                f"{row['request_id']}:{row['candidate']}",
                row["who"],
                row["rating"],
                row["rejected"],
                row["at"].isoformat(),
            ]
            for row in read_picks_table(self.folder).to_pylist()
        ]

    def say(self, request_id: str, candidate: int, rating: int | None, rejected: bool) -> Pick:
        """Save a word and return it.

        Raises:
            ValueError: If it is no pick.
        """
        pick = Pick(request_id, candidate, rating, rejected, self.who, datetime.now(UTC))
        save_pick(self.folder, pick)
        return pick

    def take_back(self, said: Pick, earlier: Pick | None) -> bool:
        """Take a word back and say an earlier one again; return whether it still stood."""
        return undo(self.folder, said, earlier)

    def _rows_of_request(
        self, _version: str, request_id: str
    ) -> tuple[list[dict[str, Any]], dict[int, Place]]:
        rows = top(self.folder, ALL, request_id=request_id)
        return rows, {row["candidate"]: place_of(row) for row in rows}

    def _version(self) -> str:
        paths = (self.folder.index, self.folder.upscaled)
        return hashlib.sha256(repr([_stamp(path) for path in paths]).encode()).hexdigest()[:16]

    def _make(self, version: str) -> Catalogue:
        pictures, places = RunPictures(self.folder), dict[Key, Place]()

        def listed() -> Iterator[Row]:
            for row in ranking(self.folder, self._best, Filters(**self._filters)):
                place = place_of(row)
                places[place.request_id, place.candidate] = place
                yield row

        content = describe(listed(), keeps_of(self.folder), pictures.enlarged)
        text = json.dumps(content | {"version": version}, separators=(",", ":")).encode()
        return Catalogue(version, places, gzip.compress(text, 5), pictures)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
