"""How a request's pictures are shown: what a page turns and blurs by itself, and in what words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fundiff.view_names import SORTS, bases, view
from fundiff.views import View

QUARTERS = {"rotate_90": 1, "rotate_180": 2, "rotate_270": 3}
"""Quarter turns to the left."""

TURNS = {"identity", "flip", "mirror", "negate", *QUARTERS}
"""The frames that the page makes of the picture itself, with CSS."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture in one view.

    Attributes:
        seen: How to look, in words.
        view: What the page does to the picture, words of the stylesheet with spaces between.
        at: How far away it is read, 0 to 1, where the look's farthest view is 1.
        reading: Its number among the look's readings, if it is a picture of its own.
        is_near: Whether it is sharp and in colour: a card starts with such a view.
        is_original: Whether it is what an inpainting or edit started from.
    """

    seen: str
    view: str
    at: float = 0.0
    reading: int | None = None
    is_near: bool = True
    is_original: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How the pictures of a request are shown.

    Attributes:
        stills: What each started from, if it did, then one for each view.
        sigma: Of the farthest live view, in pixels of a 64-px picture; 0 if none is far.
        readings: The views that are pictures of their own, each once.
        panels: Names of the square panels that a picture is a strip of; none for one picture.
    """

    stills: tuple[Still, ...]
    sigma: float = 0.0
    readings: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()


def look_of(kind: str, views: Sequence[str], has_original: bool) -> Look:
    """Return how pictures of this kind, read in these views, are shown."""
    readings = tuple(dict.fromkeys(name for name in views if not is_live(name)))
    sigma = max((_sigma(name) for name in views if is_live(name)), default=0.0)
    stills = tuple(_stills(views, readings, sigma, has_original))
    return Look(stills, sigma, readings, _panels(kind))


def has_original(kind: str) -> bool:
    """Return whether pictures of this kind can be wiped back to what they started from.

    A comparison of ways to denoise has its original in its own first panel.
    """
    return kind in ("inpaint", "edit", "inverse")


def words(name: str) -> str:
    """Return what one does or sees in a view; a view that is unknown is called by its name."""
    seen = _known(name)
    if seen is None:
        return name
    if not seen.is_wanted:
        return "steered away from"
    plain = SORTS["identity"].words
    parts = [SORTS[base].words for base in bases(name)]
    return ", ".join(part for part in parts if part != plain) or plain


def is_live(name: str) -> bool:
    """Return whether the page makes this view of the picture itself, by turning or blurring it.

    The others are pictures of their own, readings; so is what lies between near and far. A view
    that is unknown is shown as the picture stands.
    """
    seen = _known(name)
    if seen is None:
        return True
    is_far = seen.sigma > 0 and seen.component == seen.reading
    return all(f.name in TURNS for f in seen.frames) and (seen.reading.is_whole or is_far)


def _known(name: str) -> View | None:
    try:
        return view(name)
    except ValueError:
        return None


def _sigma(name: str) -> float:
    seen = _known(name)
    return seen.sigma if seen else 0.0


def _stills(
    views: Sequence[str], readings: Sequence[str], sigma: float, has_original: bool
) -> Iterator[Still]:
    if has_original:
        yield Still("before", "identity", is_original=True)
    for name in views:
        seen = "after" if has_original and name == "identity" else words(name)
        known = _known(name)
        if known is None:
            yield Still(seen, "identity")
            continue
        at = min(known.sigma / sigma, 1) if sigma else 0.0
        is_near = known.reading.is_whole
        if name in readings:
            yield Still(seen, "identity", at, readings.index(name), is_near)
        else:
            yield Still(seen, _live(name, known), at, is_near=is_near)


def _live(name: str, known: View) -> str:
    """Return what the stylesheet knows a live view by."""
    component = "" if known.component.is_whole else bases(name)[-1]
    if known.sigma:
        component = "low_pass"
    return f"{_turns(known)} {component}".strip() or "identity"


def _turns(seen: View) -> str:
    """Return the turns that the page makes at once, quarters first, for these frames in order."""
    quarters, others = 0, set[str]()
    for frame in seen.frames:
        is_mirrored = len(others & {"flip", "mirror"}) == 1
        left = QUARTERS.get(frame.name, 0)
        quarters += -left if is_mirrored else left
        others ^= {frame.name} - {"identity", *QUARTERS}
    rotation = [name for name, left in QUARTERS.items() if left == quarters % 4]
    return " ".join([*rotation, *sorted(others)])


def _panels(kind: str) -> tuple[str, ...]:
    if kind != "denoise":
        return ()
    from fundiff.denoise import PANELS  # imports torch

    return PANELS
