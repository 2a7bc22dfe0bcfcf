"""The best pictures of a run as files: PNGs named by rank, animations, or one page."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fundiff.view_names import view
from fundiff.views import View
from jobs.gallery import Card, is_live, render
from manifests.files import write_whole
from manifests.images import central_square
from manifests.index import load_pictures, top
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
from manifests.records import Picture, Request
from manifests.upscaled import read_upscaled


def export_pictures(folder: RunFolder, output: Path, best: int, **filters: Any) -> int:
    """Write the best candidates as `<request>-<rank>-candidate-<n>.png`; return how many.

    A candidate that was upscaled is written as large as it is.

    Args:
        folder: A run with an index.
        output: Folder to write to.
        best: Candidates per request.
        filters: As for `manifests.index.top`.
    """
    output.mkdir(parents=True, exist_ok=True)
    upscaled = {
        (row.request_id, row.candidate): row.image for row in read_upscaled(folder) if row.image
    }
    count = 0
    for row, picture in best_pictures(folder, best, **filters):
        larger = upscaled.get((row["request_id"], row["candidate"]))
        _write_bytes(output / f"{_name(row)}.png", larger.bytes if larger else picture)
        count += 1
    return count


def write_animations(
    folder: RunFolder, output: Path, suffix: str, side: int, best: int, **filters: Any
) -> tuple[int, int]:
    """Write the reveal of each of the best candidates; return how many, and how many stand still.

    Args:
        folder: A run with an index.
        output: Folder to write to.
        suffix: `gif`, `webp` or `mp4`.
        side: Of the frames in pixels, or as near to it as the views' cells allow.
        best: Candidates per request.
        filters: As for `manifests.index.top`.
    """
    from jobs.animation.files import write_animation
    from jobs.animation.reveal import reveal

    requests = requests_by_id(folder.manifest)
    output.mkdir(parents=True, exist_ok=True)
    count = still = 0
    for row, picture in best_pictures(folder, best, **filters):
        original = original_of(requests[row["request_id"]], picture)
        views = nearest_first([view(name) for name in row["views"]])
        if row["kind"] == "denoise" or (row["views"] == ["identity"] and original is None):
            still += 1
            continue
        if len(views) == 1 and original is None:
            views = [view("identity"), *views]
        before = image_of(original) if original else None
        cells = math.lcm(*(each.cells for each in views))  # each a whole number of pixels
        frames = reveal(image_of(picture), views, before, max(1, round(side / cells)) * cells)
        write_animation(frames, output / f"{_name(row)}.{suffix}")
        count += 1
    return count, still


def nearest_first(views: Sequence[View]) -> list[View]:
    """Return views with those first that are read as the picture stands: a hybrid starts near."""
    return sorted(views, key=lambda each: not each.reading.is_whole)


def _name(row: Mapping[str, Any]) -> str:
    """Return the name of a candidate's file, without a suffix."""
    return f"{row['request_id']}-{row['rank']:03d}-candidate-{row['candidate']:05d}"


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
    "seam",
    "kept_error",
    "seed",
    "stage",
)


def best_pictures(
    folder: RunFolder, best: int, **filters: Any
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the best candidates with the picture of the last of stages I and II."""
    for row in top(folder, best, **filters):
        first, second = load_pictures(folder, row["part"], row["row"])
        picture = second or first
        assert picture is not None  # `top` lists only candidates with a picture
        yield row, picture


def image_of(png: bytes) -> Image.Image:
    """Return a stored picture as an image."""
    return Image.open(io.BytesIO(png))


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


def _write_bytes(path: Path, data: bytes) -> None:
    write_whole(path, lambda hidden: hidden.write_bytes(data))
