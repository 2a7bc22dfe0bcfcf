"""Draws docs/demo.png: python docs/make_demo_picture.py runs/demo docs/demo.png.

Every request's best candidate, as one sees it through each of its views.
"""

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fundiff.pictures import to_image, to_tensor
from fundiff.view_names import view
from manifests.index import load_pictures, top
from manifests.layout import RunFolder

SIDE, GAP, CAPTION, COLUMNS = 128, 12, 22, 4
PAPER, INK = "white", "#333333"


def main() -> None:
    """Read the run's index and write the sheet."""
    run, output = RunFolder(Path(sys.argv[1])), Path(sys.argv[2])
    cells = [_cell(run, row) for row in top(run, 1)]
    width, height = cells[0].size
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) + GAP, rows * (height + GAP) + GAP), PAPER)
    for i, cell in enumerate(cells):
        at = GAP + i % COLUMNS * (width + GAP), GAP + i // COLUMNS * (height + GAP)
        sheet.paste(cell, at)
    sheet.save(output, optimize=True)


def _cell(run: RunFolder, row: dict[str, Any]) -> Image.Image:
    """Return the picture in its first two views, captioned with their prompts."""
    small, large = load_pictures(run, row["part"], row["row"])
    with Image.open(io.BytesIO(large or small or b"")) as file:
        picture = to_tensor(file)
    readings = [to_image(view(name).read(picture)) for name in row["views"]]
    if row["kind"] == "hybrid":
        readings[0] = readings[0].resize((SIDE // 3, SIDE // 3), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (2 * SIDE, SIDE + CAPTION), PAPER)
    pen, font = ImageDraw.Draw(cell), ImageFont.load_default(10)
    for i, (reading, prompt) in enumerate(zip(readings, row["prompts"], strict=True)):
        if reading.width >= SIDE:
            reading = reading.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        left = i * SIDE + (SIDE - reading.width) // 2
        cell.paste(reading, (left, (SIDE - reading.height) // 2))
        words = prompt.removeprefix("a soft shadow of ").removeprefix("a line drawing of ")
        pen.text((i * SIDE + SIDE // 2, SIDE + 4), words, INK, font, anchor="ma")
    return cell


if __name__ == "__main__":
    main()
