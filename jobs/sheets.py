"""Contact sheets: many pictures on one, each with a line of words under it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, MUTED = "#faf8f4", "#26231f", "#6b655b"
MARGIN, LINE, GAP = 12, 18, 20


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a sheet.

    Attributes:
        picture: Shown as high as the sheet's panels are, in its own proportions.
        words: Lines under it, cut to the panel's width.
        leads: Whether it begins something new: then it stands a little apart.
    """

    picture: Image.Image
    words: tuple[str, ...] = ()
    leads: bool = False

    def before(self, column: int) -> int:
        """Return the pixels to its left."""
        return MARGIN + (GAP if self.leads and column else 0)


def sheet(rows: Sequence[Sequence[Panel]], side: int = 160, title: str = "") -> Image.Image:
    """Return panels in rows, each `side` pixels high, on paper.

    Args:
        rows: Panels from top to bottom, from left to right.
        side: Height of a picture in pixels; smaller pictures are enlarged without blurring.
        title: A line above them, if any.
    """
    pictures = [[_fitted(panel.picture, side) for panel in row] for row in rows]
    heights = [side + LINE * max((len(p.words) for p in row), default=0) + MARGIN for row in rows]
    widths = [
        sum(
            shown.width + panel.before(n)
            for n, (panel, shown) in enumerate(zip(*pair, strict=True))
        )
        for pair in zip(rows, pictures, strict=True)
    ]
    top = MARGIN + (2 * LINE if title else 0)
    page = Image.new("RGB", (MARGIN + max(widths, default=0), top + sum(heights)), PAPER)
    draw = ImageDraw.Draw(page)
    font, heading = ImageFont.load_default(12), ImageFont.load_default(16)
    if title:
        draw.text((MARGIN, MARGIN), _cut(title, page.width - 2 * MARGIN, heading), INK, heading)
    for row, shown, height in zip(rows, pictures, heights, strict=True):
        left = 0
        for column, (panel, picture) in enumerate(zip(row, shown, strict=True)):
            left += panel.before(column)
            page.paste(picture, (left, top))
            for line, words in enumerate(panel.words):
                y = top + side + 2 + LINE * line
                colour = MUTED if line else INK
                draw.text((left, y), _cut(words, picture.width, font), colour, font)
            left += picture.width
        top += height
    return page


def wrapped(panels: Sequence[Panel], columns: int) -> list[Sequence[Panel]]:
    """Return panels as rows of at most `columns`."""
    return [panels[start : start + columns] for start in range(0, len(panels), columns)]


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    size = (round(picture.width * side / picture.height), side)
    larger = side > picture.height
    how = Image.Resampling.NEAREST if larger and picture.height <= 64 else Image.Resampling.LANCZOS
    return picture.convert("RGB").resize(size, how)


def _cut(words: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return words shortened to a width in pixels."""
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(words + "…") > width:
        words = words[:-1]
    return words + "…"
