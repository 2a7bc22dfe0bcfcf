"""Draws what docs/gallery.md shows with the embedded model: python docs/make_gallery.py.

Writes the input pictures, draws docs/gallery/requests.yaml into runs/gallery (about a quarter of
an hour on two cores; what is drawn already is kept, so remove that folder when the requests have
changed), and writes a picture per tag, animations and the sheet of views. Nothing is chosen by
hand: each request shows the judge's best candidate.
"""

import shutil
from dataclasses import fields
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from fundiff.view_names import view
from jobs.animation.files import write_animation
from jobs.animation.reveal import reveal
from jobs.contact_sheets import candidate_panels, caption, lines
from jobs.exporting import nearest_first
from jobs.launching import Launch, launch
from jobs.pictures import best_pictures, image_of
from jobs.sheets import sheet
from jobs.showing_views import scene, view_sheet
from jobs.submitting import open_shards
from manifests.layout import RunFolder
from manifests.manifest import read_manifest
from manifests.records import Request

HERE = Path(__file__).parent
GALLERY, RUN = HERE / "gallery", Path("runs") / "gallery"
EXAMPLES = HERE.parent / "jobs" / "examples"
WIDTH = 6
"""Panels side by side."""

ANIMATED = ("turned", "cut", "hybrid", "many")
"""Tags whose first request is shown moving too."""


def main() -> None:
    """Draw the inputs, the run and the pictures."""
    draw_inputs()
    asked = Launch(GALLERY / "requests.yaml", RUN, model="mini", parallel=2)
    said = launch(asked, lambda _: None)
    folder = RunFolder(RUN)
    if open_shards(folder):
        raise SystemExit("\n".join(said))
    view_sheet().quantize(128).save(GALLERY / "views.png", optimize=True)
    requests = read_manifest(folder.manifest)
    shown = {row["request_id"]: (row, picture) for row, picture in best_pictures(folder, 1)}
    for tag in dict.fromkeys(request.tags[0] for request in requests):
        tagged = [request for request in requests if request.tags[0] == tag]
        groups = [
            candidate_panels(request, picture, [caption(row), *settings(request)])
            for request in tagged
            for row, picture in [shown[request.request_id]]
        ]
        sheet(lines(groups, WIDTH), 128).save(GALLERY / f"{tag}.png", optimize=True)
        if tag in ANIMATED:
            first = tagged[0]
            picture = image_of(shown[first.request_id][1])
            views = nearest_first([view(name) for name in first.views])
            frames = reveal(picture, views, side=192)
            write_animation(frames, GALLERY / f"{tag}.webp")


TOLD = ("start", "strength", "keep", "jump_length", "jump_n_sample", "mask_blur", "guidance_start",
        "guidance_stop", "sampler", "reduction")  # fmt: skip


def settings(request: Request) -> list[str]:
    """Return the settings of a request that are worth telling, as one would write them."""
    usual = {field.name: field.default for field in fields(Request)} | {"reduction": "sum"}
    return [
        f"{name} {getattr(request, name)}"
        for name in TOLD
        if getattr(request, name) not in (usual[name], "mean")
    ]


def draw_inputs() -> None:
    """Write the pictures that requests start from."""
    for name in ("three.png", "left-half.png"):
        shutil.copy(EXAMPLES / name, GALLERY)
    scene(128).save(GALLERY / "scene.png")

    drawing = Image.new("RGB", (128, 128), "white")  # what a child's hand would draw
    corners = [(64, 12), (75, 50), (118, 47), (84, 74), (104, 116), (63, 88), (28, 112), (42, 72),
               (8, 52), (52, 48)]  # fmt: skip
    ImageDraw.Draw(drawing).polygon(corners, outline="black", width=6)
    drawing.save(GALLERY / "drawing.png")

    moon = Image.new("L", (128, 128), 235)
    pen = ImageDraw.Draw(moon)
    pen.ellipse((24, 20, 104, 108), fill=120)
    pen.ellipse((52, 12, 126, 96), fill=235)
    moon.filter(ImageFilter.GaussianBlur(7)).convert("RGB").save(GALLERY / "moon.png")

    framed = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(framed).rectangle((8, 8, 119, 119), outline="black", width=5)
    framed.save(GALLERY / "framed.png")
    middle = Image.new("L", (128, 128), 0)
    ImageDraw.Draw(middle).rectangle((20, 20, 107, 107), fill=255)
    middle.save(GALLERY / "middle.png")


if __name__ == "__main__":
    main()
