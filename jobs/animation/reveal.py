"""Watch it turn: the reveal of a finished picture, as frames and as a GIF, WebP or MP4 file.

Between two readings a picture goes the way that a person would turn it: back to how it stands,
step by step, and on to the next reading. What two views have in common is not undone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, takewhile

from PIL import Image

from fundiff.filters import Filter
from fundiff.frames import IDENTITY, Frame
from fundiff.views import View
from jobs.animation.motions import MOTIONS, PAPER, Move, fade, fly, recede, wipe
from manifests.images import central_square

HOLD = 1.0
"""Seconds that a reading is held."""

MOVE = 1.2
"""Seconds that a step takes, such as a flip."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a picture: a card that is turned over, pieces that fly, a blur.

    Attributes:
        before: What it starts from.
        between: What is seen on the way, eased; without `before` and `after`.
        after: What it ends with.
    """

    before: Image.Image
    between: tuple[Image.Image, ...]
    after: Image.Image


def reveal(
    picture: Image.Image,
    views: Sequence[View],
    original: Image.Image | None = None,
    side: int = 256,
    fps: int = 20,
) -> list[Image.Image]:
    """Return the frames that show a picture in each of its views, one after the other.

    It starts from the original, if there is one, else from the first view's reading; every
    reading is held for `HOLD` seconds; the last frame is the first again, so that it loops. Held
    frames are exactly what the views read of the enlarged picture.

    Args:
        picture: Square, of any mode that can be made RGB.
        views: At least one; those that read the same in a row are held once.
        original: What the picture was made from. A wipe reveals the picture; what is transparent
            (the hole of an inpainting) is paper.
        side: Of the frames, in pixels.
        fps: Frames per second.

    Returns:
        RGB images of (side, side); frames that are held are the same object.

    Raises:
        ValueError: If there are no views, the picture is not square, or the views' cells are no
            whole pixels of such frames.
    """
    shown = enlarge(picture, views, side)
    count = max(1, round(MOVE * fps))
    ways = _ways(shown, views, count)
    first, last = (way[-1].after if way else shown for way in (ways[0], ways[-1]))
    tour = [_travel(a, b) for a, b in pairwise(ways)]
    if original is None:
        start = first
        legs = [*tour, _travel(ways[-1], ways[0])]
    else:
        start = _before(original, side)
        legs = [
            _forth(_step(partial(wipe, start, first), start, first, count)),
            *tour,
            _back(_step(partial(wipe, start, last), start, last, count)),
        ]

    hold = max(1, round(HOLD * fps))
    frames = [start] * hold
    for leg in legs:
        frames += leg + leg[-1:] * (hold - 1)
    # It ends as soon as it is back, since the next round begins with this reading's hold.
    return frames[: len(frames) - (hold - 1)] if any(legs) else frames


def enlarge(picture: Image.Image, views: Sequence[View], side: int) -> Image.Image:
    """Return the picture as RGB of (side, side).

    Smooth, unless a view cuts it into cells: these stay whole, so that no pixel holds a bit of
    two cells, which would draw a line around every piece when they part.

    Raises:
        ValueError: As `reveal`.
    """
    if not views:
        raise ValueError("there is nothing to reveal without a view; give at least one")
    if picture.width != picture.height:
        raise ValueError(f"a picture of {picture.width}x{picture.height} is not square; crop it")
    cells = math.lcm(*(view.cells for view in views))
    if side < 1 or side % cells:
        raise ValueError(
            f"frames of {side} px do not divide into {cells} cells a side; "
            f"take a side of {max(1, round(side / cells)) * cells}"
        )
    how = Image.Resampling.LANCZOS if cells == 1 else Image.Resampling.BOX
    return picture.convert("RGB").resize((side, side), how)


def _before(original: Image.Image, side: int) -> Image.Image:
    """Return the drawn square of the original, its transparent parts as paper."""
    image = original.convert("RGBA").crop(central_square(*original.size))
    paper = Image.new("RGBA", image.size, PAPER)
    whole = Image.alpha_composite(paper, image).convert("RGB")
    return whole.resize((side, side), Image.Resampling.LANCZOS)


def _ways(picture: Image.Image, views: Sequence[View], count: int) -> list[tuple[Step, ...]]:
    """Return the steps from the picture to each view's reading; equal beginnings are shared."""
    from fundiff.pictures import to_image, to_tensor

    made: dict[tuple[str | Filter, ...], Step] = {}

    def way(view: View) -> Iterator[Step]:
        done: tuple[str | Filter, ...] = ()
        x = to_tensor(picture)
        for part in _parts(view):
            before, x = x, part.show(x) if isinstance(part, Frame) else part(x)
            done = (*done, part.name if isinstance(part, Frame) else part)
            if done not in made:
                ends = to_image(before), to_image(x)
                made[done] = _step(_move(part, *ends), *ends, count)
            yield made[done]

    return [tuple(way(view)) for view in views]


def _parts(view: View) -> tuple[Frame | Filter, ...]:
    """Return what happens to a picture before it is read, each thing that happens by itself."""
    frames = tuple(frame for frame in view.frames if frame.name != IDENTITY.name)
    if view.reading.is_whole:
        return frames
    terms = view.reading.terms
    if len(terms) == 1 and terms[0][1] == 1:
        return frames + tuple(Filter((((one,), 1.0),)) for one in terms[0][0])
    return (*frames, view.reading)


def _move(part: Frame | Filter, before: Image.Image, after: Image.Image) -> Move:
    """Return the motion that shows best what happens."""
    if isinstance(part, Frame):
        if part.cells is not None:
            return fly(before, part.cells)
        return MOTIONS[part.name](before) if part.name in MOTIONS else partial(fade, before, after)
    match part.terms:
        case (((("gaussian", sigma),), _),):
            return partial(recede, before, sigma)
    return partial(fade, before, after)


def _step(move: Move, before: Image.Image, after: Image.Image, count: int) -> Step:
    """Return a step that takes `count` frames, the one it ends with included."""
    shares = (eased(number / count) for number in range(1, count))
    return Step(before, tuple(move(share) for share in shares), after)


def eased(share: float) -> float:
    """Return the share of the way at a share of the time: slow at both ends (smoothstep)."""
    return share * share * (3 - 2 * share)


def _travel(a: tuple[Step, ...], b: tuple[Step, ...]) -> list[Image.Image]:
    """Return the frames from the end of one way to the end of another, that one included."""
    common = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(a, b, strict=False)))
    back = [frame for step in reversed(a[common:]) for frame in _back(step)]
    return back + [frame for step in b[common:] for frame in _forth(step)]


def _forth(step: Step) -> list[Image.Image]:
    return [*step.between, step.after]


def _back(step: Step) -> list[Image.Image]:
    return [*reversed(step.between), step.before]
