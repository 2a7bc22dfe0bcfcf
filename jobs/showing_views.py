"""What every view does, shown on one small picture."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw
from rich.color import Color
from rich.columns import Columns
from rich.console import Group
from rich.style import Style
from rich.text import Text

from fundiff.pictures import to_image, to_tensor
from fundiff.view_names import SORTS, view
from jobs.sheets import Panel, sheet, wrapped


def scene(side: int = 64) -> Image.Image:
    """Return a coloured picture that is different in every direction: sun, house and tree."""
    image = Image.new("RGB", (256, 256), "#9cc7e8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 176, 256, 256), "#6ea15a")
    draw.ellipse((20, 16, 76, 72), "#ffd34d")
    draw.rectangle((56, 112, 152, 208), "#c8553d")
    draw.polygon([(44, 116), (104, 56), (164, 116)], "#5b3a29")
    draw.rectangle((92, 156, 120, 208), "#3a2416")
    draw.rectangle((66, 124, 90, 148), "#ffe9a8")
    draw.rectangle((196, 140, 208, 212), "#5b3a29")
    draw.ellipse((168, 68, 236, 156), "#2f6b3a")
    for x in range(0, 256, 16):  # fine detail, for what is seen from near
        draw.line((x, 232, x + 8, 248), "#ffffff", 3)
    return image.resize((side, side), Image.Resampling.BOX)


def pictures(side: int = 64) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield the example name of every view, what one sees in words, and the scene.

    An isometry shows the scene turned or cut up; a component shows the part that its prompt
    decides on, with grey for none.

    Args:
        side: Of the scene in pixels.
    """
    picture = to_tensor(scene(side))
    for sort in SORTS.values():
        each = view(sort.example)
        shown = each.show(picture) if each.is_orthogonal else each.component(picture)
        yield sort.example, sort.words, to_image(shown)


def view_sheet() -> Image.Image:
    """Return a contact sheet of every view."""
    panels = [Panel(picture, (name, words)) for name, words, picture in pictures()]
    return sheet(wrapped(panels, 5), 192)


def thumbnails() -> Columns:
    """Return every view as a small picture over its name, for a terminal with colours."""
    return Columns([Group(half_blocks(picture), name, "") for name, _, picture in pictures()])


def half_blocks(picture: Image.Image, side: int = 24) -> Text:
    """Return a picture as coloured half-blocks: `side` characters wide, half as many lines."""
    small = np.asarray(picture.resize((side, side), Image.Resampling.BOX))
    text = Text(no_wrap=True)
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=_colour(above), bgcolor=_colour(below)))
        text.append("\n")
    return text


def _colour(pixel: Sequence[int]) -> Color:
    return Color.from_rgb(*(int(level) for level in pixel))
