"""The gallery: the pages of `fundiff curate` as files, to look at and share without a server."""

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jobs.curation.catalogue import Row, describe, details, keeps_of, look_of_row
from jobs.curation.page import whole_page
from jobs.curation.pictures import RunPictures, place_of
from jobs.pictures import image_of
from manifests.files import write_bytes
from manifests.layout import RunFolder
from manifests.ranking import top

PICTURES_OF_A_PAGE = 300
"""Candidates that one page holds; a browser takes its time over more."""


def write_gallery(
    folder: RunFolder,
    output: Path,
    best: int,
    pictures_of_a_page: int = PICTURES_OF_A_PAGE,
    **filters: Any,
) -> int:
    """Write self-contained pages with the best candidates; return how many candidates.

    Args:
        folder: A run with an index.
        output: The HTML file, or a folder for `index.html`; further pages lie beside it.
        best: Candidates per request.
        pictures_of_a_page: Candidates on a page at most.
        filters: As for `top`.
    """
    rows = top(folder, best, **filters)
    first = first_page(output)
    first.parent.mkdir(parents=True, exist_ok=True)
    groups = list(_pages(rows, pictures_of_a_page))
    names = [
        first.name,
        *(f"{first.stem}-page-{n}{first.suffix}" for n in range(2, 1 + len(groups))),
    ]
    pictures, keeps = RunPictures(folder), keeps_of(folder)
    for number, group in enumerate(groups):
        page = {"run": run_digest(folder), **page_of(group, pictures, keeps)}
        text = whole_page(folder.path.resolve().name, page, pages=names, number=number)
        write_bytes(first.with_name(names[number]), text.encode())
    return len(rows)


def first_page(output: Path) -> Path:
    """Return the page to begin with: an HTML file itself, or a folder's `index.html`."""
    return output if output.suffix.lower() in (".html", ".htm") else output / "index.html"


def run_digest(folder: RunFolder) -> str:
    """Return what tells a run from all others, also from one of the same manifest."""
    content = folder.run_json.read_bytes() + str(folder.path.resolve()).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _pages(rows: Sequence[Row], most: int) -> Iterator[list[Row]]:
    """Yield rows page by page; a request is on one page if it fits there."""
    page: list[Row] = []
    for _, group in groupby(rows, lambda row: row["request_id"]):
        request = list(group)
        for chunk in (request[i : i + most] for i in range(0, len(request), most)):
            if page and len(page) + len(chunk) > most:
                yield page
                page = []
            page += chunk
    yield page


def page_of(
    rows: Sequence[Row], pictures: RunPictures, keeps: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a page that stands alone is told: its catalogue, and its pictures once each."""
    uris: dict[str, int] = {}
    catalogue = describe(rows, keeps, pictures.enlarged)
    catalogue["candidates"]["details"] = [details(row) for row in rows]
    catalogue["candidates"]["files"] = [
        {
            name: uris.setdefault(_data_uri(picture), len(uris))
            for name, picture in _named_pictures(row, pictures)
        }
        for row in rows
    ]
    return {"catalogue": catalogue, "pictures": list(uris)}


def _named_pictures(row: Row, pictures: RunPictures) -> Iterator[tuple[str, bytes]]:
    place = place_of(row)
    readings = [f"reading-{number}" for number in range(len(look_of_row(row).readings))]
    for name in ("large", "original", *readings, "enlarged"):
        picture = pictures.read(place, name)
        if picture is not None:
            yield name, _lighter(picture) if name == "enlarged" else picture


def _lighter(png: bytes) -> bytes:
    """Return a large picture as a WebP file, a tenth of its bytes."""
    buffer = io.BytesIO()
    image_of(png).save(buffer, format="WEBP", quality=90)
    return buffer.getvalue()


def _data_uri(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
