"""Contact sheets of a run: its candidates, each as one sees it through each of its views."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from fundiff.denoise import PANELS
from fundiff.pictures import to_image, to_tensor
from fundiff.view_names import FAR, bases, view
from jobs.cards import original_of
from jobs.curation.looks import words
from jobs.pictures import best_pictures, image_of
from jobs.sheets import PAPER, Panel, sheet
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
from manifests.records import Request

COLUMNS = 8
"""Panels side by side at most, if a candidate has no more."""


def run_sheet(folder: RunFolder, best: int, title: str = "", **filters: Any) -> Image.Image:
    """Return the best candidates of every request on one sheet, best first.

    Args:
        folder: A run with an index.
        best: Candidates per request.
        title: A line above them.
        filters: As for `manifests.ranking.top`.
    """
    requests = requests_by_id(folder.manifest)
    candidates = [
        candidate_panels(requests[row["request_id"]], picture, [caption(row)])
        for row, picture in best_pictures(folder, best, **filters)
    ]
    return sheet(lines(candidates, COLUMNS), title=title)


def lines(groups: Sequence[Sequence[Panel]], columns: int) -> list[list[Panel]]:
    """Return rows of panels: as many whole groups in a row as fit into `columns` panels."""
    rows: list[list[Panel]] = [[]]
    for panels in groups:
        if rows[-1] and len(rows[-1]) + len(panels) > columns:
            rows.append([])
        rows[-1] += panels
    return rows


def caption(row: dict[str, Any]) -> str:
    """Return number and score of a candidate."""
    score = "" if row["score"] is None else f"  {row['score']:.3f}"
    return f"#{row['candidate']}{score}{'' if row['stage'] == 2 else '  stage I'}"


def candidate_panels(request: Request, picture: bytes, said: Sequence[str]) -> list[Panel]:
    """Return what one sees of a candidate: where it started from, if it did, and each view.

    Args:
        request: What was asked for.
        picture: PNG file of the candidate.
        said: Lines under its panels that say which candidate it is.
    """
    image = image_of(picture).convert("RGB")
    if request.kind == "denoise":
        return [Panel(image, (", ".join(PANELS), *said), leads=True)]
    x = to_tensor(image)
    panels = [
        Panel(_as_seen(name, to_image(view(name).read(x))), (prompt, words(name), *said))
        for name, prompt in zip(request.views, request.prompts, strict=True)
    ]
    if original := original_of(request, picture):
        panels.insert(0, Panel(_on_paper(original), ("the original",)))
    return [replace(panels[0], leads=True), *panels[1:]]


def _as_seen(name: str, reading: Image.Image) -> Image.Image:
    """Return a reading as far away as it is looked at from."""
    if bases(name)[-1] not in FAR:
        return reading
    away = reading.resize((reading.width // 3,) * 2, Image.Resampling.LANCZOS)
    page = Image.new("RGB", reading.size, PAPER)
    page.paste(away, ((page.width - away.width) // 2, (page.height - away.height) // 2))
    return page


def _on_paper(png: bytes) -> Image.Image:
    """Return a picture whose transparent part, a hole, is paper."""
    image = image_of(png).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, PAPER), image).convert("RGB")
