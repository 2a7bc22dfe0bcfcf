"""The best pictures of a run as the cards of a page, and the page that shows them."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fundiff.view_names import view
from jobs.gallery import Card, is_live, render
from jobs.pictures import best_pictures, image_of
from manifests.files import write_bytes
from manifests.images import central_square
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
from manifests.records import Picture, Request


def write_gallery(folder: RunFolder, output: Path, best: int, **filters: Any) -> int:
    """Write one self-contained page with the best candidates; return how many.

    Args:
        folder: A run with an index.
        output: The HTML file.
        best: Candidates per request.
        filters: As for `manifests.index.top`.
    """
    requests = requests_by_id(folder.manifest)
    cards = [
        Card(
            **{name: row[name] for name in _COPIED},
            prompts=requests[row["request_id"]].full_prompts,
            views=tuple(row["views"]),
            tags=tuple(row["tags"]),
            picture=picture,
            original=original_of(requests[row["request_id"]], picture),
            readings=readings_of(row["views"], picture),
        )
        for row, picture in best_pictures(folder, best, **filters)
    ]
    page = render(cards, title=folder.path.name)
    write_bytes(output, page.encode())
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
    "seam",
    "kept_error",
    "seed",
    "stage",
)


def readings_of(views: Sequence[str], picture: bytes) -> dict[str, bytes]:
    """Return PNG files of what is seen in the views that a page cannot make with CSS."""
    names = [name for name in views if not is_live(name)]
    if not names:
        return {}
    from fundiff.pictures import to_image, to_tensor  # imports torch

    x = to_tensor(image_of(picture))
    return {name: _png(to_image(view(name).read(x))) for name in names}


def original_of(request: Request, picture: bytes) -> bytes | None:
    """Return what a picture started from, at its size, the hole transparent; None if nothing.

    A comparison of ways to denoise has its original in its own first panel.
    """
    if request.image is None or request.kind == "denoise":
        return None
    size = image_of(picture).size
    original = _square(request.image).resize(size, Image.Resampling.BOX)
    if request.mask is not None:
        hole = _square(request.mask).convert("L").resize(size, Image.Resampling.BOX)
        original.putalpha(hole.point([255] + [0] * 255))
    return _png(original)


def _square(picture: Picture) -> Image.Image:
    image = image_of(picture.bytes).convert("RGB")
    return image.crop(central_square(*image.size))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
