"""The best pictures of a run as files: PNGs named by rank, or one page."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from jobs.gallery import Card, render
from manifests.files import write_whole
from manifests.images import central_square
from manifests.index import load_pictures, top
from manifests.layout import RunFolder
from manifests.manifest import read_manifest
from manifests.records import Picture, Request


def export_pictures(folder: RunFolder, output: Path, best: int, **filters: Any) -> int:
    """Write the best candidates as `<request>-<rank>-candidate-<n>.png`; return how many.

    Args:
        folder: A run with an index.
        output: Folder to write to.
        best: Candidates per request.
        filters: As for `manifests.index.top`.
    """
    output.mkdir(parents=True, exist_ok=True)
    count = 0
    for row, picture in _best(folder, best, **filters):
        name = f"{row['request_id']}-{row['rank']:03d}-candidate-{row['candidate']:05d}.png"
        _write_bytes(output / name, picture)
        count += 1
    return count


def write_gallery(folder: RunFolder, output: Path, best: int, **filters: Any) -> int:
    """Write one self-contained page with the best candidates; return how many.

    Args:
        folder: A run with an index.
        output: The HTML file.
        best: Candidates per request.
        filters: As for `manifests.index.top`.
    """
    requests = {request.request_id: request for request in read_manifest(folder.manifest)}
    cards = [
        Card(
            **{name: row[name] for name in _COPIED},
            prompts=requests[row["request_id"]].full_prompts,
            views=tuple(row["views"]),
            tags=tuple(row["tags"]),
            picture=picture,
            original=_original(requests[row["request_id"]], picture),
        )
        for row, picture in _best(folder, best, **filters)
    ]
    page = render(cards, title=folder.path.name)
    _write_bytes(output, page.encode())
    return len(cards)


_COPIED = (
    "request_id",
    "kind",
    "rank",
    "candidate",
    "status",
    "score",
    "alignment",
    "concealment",
    "near",
    "far",
    "seed",
    "stage",
)


def _best(folder: RunFolder, best: int, **filters: Any) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the best candidates with the picture of the furthest stage."""
    for row in top(folder, best, **filters):
        first, second = load_pictures(folder, row["part"], row["row"])
        picture = second or first
        assert picture is not None  # `top` lists only candidates with a picture
        yield row, picture


def _original(request: Request, picture: bytes) -> bytes | None:
    """Return what an inpainting started from, at the picture's size, its hole transparent."""
    if request.image is None or request.mask is None:
        return None
    size = Image.open(io.BytesIO(picture)).size
    original = _square(request.image).resize(size, Image.Resampling.BOX)
    hole = _square(request.mask).convert("L").resize(size, Image.Resampling.BOX)
    original.putalpha(hole.point([255] + [0] * 255))
    buffer = io.BytesIO()
    original.save(buffer, format="PNG")
    return buffer.getvalue()


def _square(picture: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.bytes)).convert("RGB")
    return image.crop(central_square(*image.size))


def _write_bytes(path: Path, data: bytes) -> None:
    write_whole(path, lambda hidden: hidden.write_bytes(data))
