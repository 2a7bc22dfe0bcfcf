"""The best pictures of a run as files: in the forms that others read, or as animations."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fundiff.view_names import view
from fundiff.views import View
from jobs.cards import original_of
from jobs.exports.entry import Entry, entries, file_name
from jobs.exports.folder import whole_folder
from jobs.exports.huggingface import write_huggingface
from jobs.exports.png import write_png
from jobs.exports.table import write_csv
from jobs.exports.webdataset import write_webdataset
from jobs.pictures import best_pictures, image_of
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id

FORMATS: dict[str, Callable[[Iterable[Entry], Path], int]] = {
    "png": write_png,
    "csv": write_csv,
    "hf": write_huggingface,
    "webdataset": write_webdataset,
}
"""How an export is written, by the name of its format."""


def export_pictures(
    folder: RunFolder,
    output: Path,
    best: int,
    form: str = "png",
    replace: bool = False,
    **filters: Any,
) -> int:
    """Write the best candidates to a new folder, whole or not at all; return how many.

    A candidate that was upscaled is written as large as it is.

    Args:
        folder: A run with an index.
        output: Folder to write to, new or empty.
        best: Candidates per request.
        form: One of `FORMATS`.
        replace: Whether an earlier export in the folder may give way.
        filters: As for `top`.

    Raises:
        ValueError: If the folder holds files that are to stay, or there is nothing to export.
    """
    with whole_folder(output, replace) as hidden:
        count = FORMATS[form](entries(folder, best, **filters), hidden)
        if not count:
            raise ValueError(
                f"no candidate of {folder.path} has a picture; `fundiff status {folder.path}` "
                "says how far it is"
            )
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
        filters: As for `top`.
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
        write_animation(frames, output / f"{file_name(row)}.{suffix}")
        count += 1
    return count, still


def nearest_first(views: Sequence[View]) -> list[View]:
    """Return views with those first that are read as the picture stands: a hybrid starts near."""
    return sorted(views, key=lambda each: not each.reading.is_whole)
