"""Finished runs whose pictures a test draws by hand, and the colours to draw them in."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from manifests.files import write_json
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.records import Picture, Request, make_request
from manifests.results import Marker, collect, publish_marker, write_part
from tests.manifests.rows import candidate

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (240, 240, 240)


def png(*corners: tuple[int, ...], size: int = 64) -> bytes:
    """Draw four quarters: top left, top right, bottom left, bottom right; or one colour."""
    side = 2 if len(corners) == 4 else 1
    image = Image.new("RGBA" if len(corners[0]) == 4 else "RGB", (side, side))
    image.putdata(list(corners))
    return encoded(image.resize((size, size), Image.Resampling.NEAREST))


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


QUARTERS = png(RED, GREEN, BLUE, WHITE)


@dataclass(frozen=True)
class Drawn:
    """A request and its candidates: their pictures, and their fields, one dict for each."""

    request: Request
    pictures: Sequence[bytes] = (QUARTERS,)
    fields: Sequence[dict[str, Any]] = field(default=({},))


def drawn(
    *views: str,
    prompts: Sequence[str] = (),
    kind: str = "anagram",
    pictures: Sequence[bytes] = (QUARTERS,),
    fields: Sequence[dict[str, Any]] = (),
    **content: Any,
) -> Drawn:
    """A request read in these views, and its candidates."""
    if kind == "hybrid":
        content["reduction"] = "sum"
    if kind in ("inpaint", "edit", "inverse", "denoise"):
        content = {"image": Picture(png(WHITE))} | content
    own: dict[str, dict[str, Any]] = {
        "inpaint": {"mask": Picture(png((0, 0, 0)))},
        "edit": {"strength": 0.6},
        "inverse": {"keep": "grayscale"},
        "denoise": {"stages": 1, "strength": 0.6},
    }
    request = make_request(
        kind=kind,
        prompts=tuple(prompts) or tuple(f"a thing seen by {view}" for view in views),
        views=views,
        **own.get(kind, {}) | content,
    )
    return Drawn(request, pictures, fields or ({},) * len(pictures))


def write_run(path: Path, *requests: Drawn) -> RunFolder:
    """Write a finished run with these requests, its index included, as a worker would."""
    folder = RunFolder(path)
    folder.create()
    write_json(folder.run_json, {"name": path.name})
    write_manifest([each.request for each in requests], folder.manifest)
    rows = [
        candidate(
            each.request.request_id,
            number,
            **{"kind": each.request.kind, "score": 0.5 - number / 100} | _stored(picture) | own,
        )
        for each in requests
        for number, (picture, own) in enumerate(zip(each.pictures, each.fields, strict=True))
    ]
    write_part(folder, 0, "a", rows)
    files, _ = collect(folder, 0)
    publish_marker(folder, Marker(0, "a", files, len(rows)))
    build_index(folder)
    return folder


def _stored(picture: bytes) -> dict[str, Any]:
    image = Image.open(io.BytesIO(picture))
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
    return {"image": Picture(picture), "stage_1_image": Picture(encoded(small))}
