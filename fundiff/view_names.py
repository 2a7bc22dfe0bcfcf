"""From a view's name to the view.

A name holds all parameters, as in `jigsaw:seed=7`, and views are composed with `+`, as in
`flip+negate`. Torch is not imported, so that a manifest can be checked without it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from fundiff import permutations
from fundiff.filters import GRAYSCALE, WHOLE, Filter, gaussian, motion_blur
from fundiff.frames import IDENTITY, PLAIN_FRAMES, Frame, permuted
from fundiff.permutations import CellMap
from fundiff.views import View


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in a view's name, after a colon: `name=value`, or the value alone.

    Attributes:
        name: Empty for one that stands without a name.
        low: Smallest value; ints where it takes whole numbers only.
        high: Largest value.
        default: What it is if left out; None where it must be given.
        choices: The values allowed, if they are few.
    """

    name: str
    low: float
    high: float
    default: float | None = None
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of view.

    Attributes:
        example: A name of it, as a user would write it.
        words: What one does or sees.
        make: From the name and its parameters' values to the view.
        parameters: What the name takes.
    """

    example: str
    words: str
    make: Callable[..., View]
    parameters: tuple[Parameter, ...] = ()


MAX_SIGMA = 16.0

_SIGMA = Parameter("", 0.4, MAX_SIGMA)
_SEED = Parameter("seed", 0, 999_999_999)
_GRID = Parameter("grid", 32, 64, permutations.GRID, choices=(64,))
_PATCHES = Parameter("", 2, 8, choices=(2, 4, 8))
_PIXELS = Parameter("", 16, 64, choices=(16, 32, 64))


def _plain(base: str) -> Callable[[str], View]:
    return lambda name: View(name, (PLAIN_FRAMES[base],))


def _cut(make: Callable[..., CellMap]) -> Callable[..., View]:
    return lambda name, *values: View(name, (permuted(name, make(*values)),))


def _part(
    component: Callable[..., Filter], reading: Callable[..., Filter] = lambda *_: WHOLE
) -> Callable[..., View]:
    return lambda name, *values: View(name, (), component(*values), reading(*values))


def _band(lower: float, upper: float) -> Filter:
    return gaussian(lower) - gaussian(upper)


def _scaled(name: str, factor: float) -> View:
    return View(name, (), Filter((((), factor),)), is_wanted=factor > 0)


FRAMES: dict[str, Sort] = {
    "identity": Sort("identity", "as it stands", _plain("identity")),
    "flip": Sort("flip", "flipped top to bottom", _plain("flip")),
    "mirror": Sort("mirror", "in the mirror", _plain("mirror")),
    "rotate_90": Sort("rotate_90", "turned a quarter left", _plain("rotate_90")),
    "rotate_180": Sort("rotate_180", "upside down", _plain("rotate_180")),
    "rotate_270": Sort("rotate_270", "turned a quarter right", _plain("rotate_270")),
    "negate": Sort("negate", "in negative", _plain("negate")),
    "skew": Sort(
        "skew:1.5",
        "sheared, wrapping round",
        _cut(permutations.skew),
        (Parameter("", -8.0, 8.0), _GRID),
    ),
    "patch_permute": Sort(
        "patch_permute:8:seed=7",
        "its squares shuffled",
        _cut(permutations.patch_permute),
        (_PATCHES, _SEED),
    ),
    "pixel_permute": Sort(
        "pixel_permute:32:seed=7",
        "its pixels shuffled",
        _cut(permutations.patch_permute),
        (_PIXELS, _SEED),
    ),
    "jigsaw": Sort(
        "jigsaw:seed=7",
        "its jigsaw put together anew",
        _cut(permutations.jigsaw),
        (_SEED, _GRID),
    ),
    "inner_circle": Sort(
        "inner_circle",
        "its middle upside down",
        _cut(permutations.inner_circle),
        (_GRID,),
    ),
    "square_hinge": Sort(
        "square_hinge",
        "its tiles turned on hinges",
        _cut(permutations.square_hinge),
        (_GRID,),
    ),
}
"""The isometries. Rotations are counter-clockwise."""

COMPONENTS: dict[str, Sort] = {
    "low_pass": Sort("low_pass:2", "from afar", _part(gaussian, gaussian), (_SIGMA,)),
    "high_pass": Sort("high_pass:2", "up close", _part(lambda s: WHOLE - gaussian(s)), (_SIGMA,)),
    "band": Sort(
        "band:1:2",
        "from in between",
        _part(_band, lambda lower, _: gaussian(lower)),
        (_SIGMA, _SIGMA),
    ),
    "triple_low": Sort("triple_low", "from afar", _part(lambda: gaussian(2), lambda: gaussian(2))),
    "triple_medium": Sort(
        "triple_medium", "from a few steps", _part(lambda: _band(1, 2), lambda: gaussian(1))
    ),
    "triple_high": Sort("triple_high", "up close", _part(lambda: WHOLE - gaussian(1))),
    "grayscale": Sort("grayscale", "in dim light", _part(lambda: GRAYSCALE, lambda: GRAYSCALE)),
    "color": Sort("color", "in colour", _part(lambda: WHOLE - GRAYSCALE)),
    "motion": Sort(
        "motion:9",
        "in motion",
        _part(motion_blur, motion_blur),
        (Parameter("", 4.0, 32.0),),
    ),
    "motion_res": Sort(
        "motion_res:9",
        "at rest",
        _part(lambda length: WHOLE - motion_blur(length)),
        (Parameter("", 4.0, 32.0),),
    ),
    "scale": Sort("scale:0.5", "as it stands", _scaled, (Parameter("", -8.0, 8.0),)),
}
"""The parts of a picture. Lengths are in pixels of a 64-px picture, and scale with it."""

SORTS = FRAMES | COMPONENTS


FAR, NEAR = ("low_pass", "triple_low"), ("high_pass", "triple_high")
"""The components that are read from afar, and from near."""


def bases(name: str) -> tuple[str, ...]:
    """Return the sorts of view that a name is composed of, without their parameters."""
    return tuple(part.partition(":")[0] for part in name.split("+"))


def names() -> list[str]:
    """Return every view as a user would write it, with sample parameters."""
    return [sort.example for sort in SORTS.values()]


@lru_cache(maxsize=256)
def view(name: str) -> View:
    """Return the view of this name; `a+b` is a, and of what that shows b.

    Raises:
        ValueError: If the name is unknown, a parameter is missing, surplus or out of range, or
            the parts of a composition stand in the wrong order.
    """
    if "" in name.split("+"):
        raise ValueError(_unknown(name, ""))
    parts = [_single(part) for part in name.split("+")]
    if len(parts) == 1:
        return parts[0]
    if "identity" in name.split("+"):
        raise ValueError(f"view {name!r} holds an identity, which changes nothing; leave it out")
    if sum(part.startswith("scale:") for part in name.split("+")) > 1:
        raise ValueError(f"view {name!r} is scaled twice; write one factor")
    frames: tuple[Frame, ...] = ()
    component = reading = WHOLE
    for part in parts:
        if part.frames and component is not WHOLE:
            raise ValueError(
                f"view {name!r} turns the picture after a component was taken of it; "
                f"write {part.name} first"
            )
        frames += part.frames
        if part.component is not WHOLE:
            component = component.then(part.component)
            reading = reading.then(part.reading)
    if not component.terms:
        raise ValueError(f"view {name!r} leaves nothing of a picture to decide on; take one part")
    wanted = all(part.is_wanted for part in parts)
    made = View(name, frames, component, WHOLE if reading.is_whole else reading, wanted)
    if frames and made.frame.key == IDENTITY.key:
        raise ValueError(f"view {name!r} turns the picture back to what it was; leave that out")
    return made


def _unknown(name: str, base: str) -> str:
    """Return what to say of an unknown view: all there are, and the one most like it."""
    close = difflib.get_close_matches(base.lower(), SORTS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"view {name!r} is unknown; choose from {', '.join(names())}{hint}"


def _single(name: str) -> View:
    base, colon, text = name.partition(":")
    if base not in SORTS:
        raise ValueError(_unknown(name, base))
    sort = SORTS[base]
    if colon and not sort.parameters:
        raise ValueError(f"view {name!r} has a parameter; {base} takes none")
    texts = text.split(":") if colon else []
    values = [_value(name, base, parameter, texts) for parameter in sort.parameters]
    if texts:
        raise ValueError(f"view {name!r} has a wrong parameter {texts[0]!r}; {_usage(base)}")
    if base == "band" and not values[0] < values[1]:
        raise ValueError(f"view {name!r} has no band between its sigmas; {_usage(base)}")
    if base == "scale" and values[0] in (0, 1):
        raise ValueError(f"view {name!r} is nothing or the whole; {_usage(base)}")

    made = sort.make(name, *values)
    if any(frame.cells is not None and frame.cells.is_identity for frame in made.frames):
        raise ValueError(f"view {name!r} changes nothing; take other numbers, {_usage(base)}")
    return made


def _value(name: str, base: str, parameter: Parameter, texts: list[str]) -> float:
    """Take a parameter's value off the front of what a view's name holds; one spelling each."""
    prefix = f"{parameter.name}=" if parameter.name else ""
    if not texts or not texts[0].startswith(prefix):
        if parameter.default is None:
            raise ValueError(f"view {name!r} lacks {_describe(parameter)}; {_usage(base)}")
        return parameter.default
    text = texts.pop(0).removeprefix(prefix)
    try:
        value = int(text) if isinstance(parameter.low, int) else float(text)
    except ValueError:
        value = math.nan
    allowed = value in parameter.choices if parameter.choices else True
    if parameter.low <= value <= parameter.high and allowed and text != f"{value:.9g}":
        raise ValueError(f"view {name!r} writes {value:.9g} as {text}; {_usage(base)}")
    if not parameter.low <= value <= parameter.high or not allowed:
        raise ValueError(f"view {name!r} needs {_describe(parameter)}; {_usage(base)}")
    return value


def _describe(parameter: Parameter) -> str:
    what = f"{parameter.name}= and " if parameter.name else ""
    if len(parameter.choices) == 1:
        return f"{parameter.name}={parameter.choices[0]}, or nothing"
    if parameter.choices:
        return f"{what}one of {', '.join(map(str, parameter.choices))}"
    kind = "whole number" if isinstance(parameter.low, int) else "number"
    return f"{what}a {kind} from {parameter.low:.9g} to {parameter.high:.9g}"


def _usage(base: str) -> str:
    return f"it is written as in {SORTS[base].example}"


COMPLEMENTS = {
    "low_pass": "high_pass",
    "high_pass": "low_pass",
    "grayscale": "color",
    "color": "grayscale",
    "motion": "motion_res",
    "motion_res": "motion",
}


def complement(name: str) -> str | None:
    """Return the view that adds up to the whole with this one, if there is one by name."""
    base, colon, parameter = name.partition(":")
    return f"{COMPLEMENTS[base]}{colon}{parameter}" if base in COMPLEMENTS else None
