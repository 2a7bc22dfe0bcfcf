"""The best pictures of a run as files: PNGs named by rank, or animations."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fundiff.view_names import view
from fundiff.views import View
from jobs.cards import original_of
from jobs.pictures import best_pictures, image_of
from manifests.files import write_bytes
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
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
        write_bytes(output / f"{_name(row)}.png", larger.bytes if larger else picture)
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
