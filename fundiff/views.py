"""The views: transformations under which one picture is read with one of its prompts.

No tensor is made here and torch is not imported, so that a manifest can be checked without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fundiff import filters

if TYPE_CHECKING:
    from torch import Tensor

Map = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, slots=True)
class View:
    """How the model, and a person, reads a picture.

    An orthogonal view turns the picture before the model sees it and turns the estimate back:
    white noise stays white noise, which is what makes it work (Geng et al., 2024,
    arXiv:2311.17919, section 3.3). A component view shows the picture as it is and keeps one
    component of the estimated noise (Geng et al., 2024, arXiv:2404.11615, Eq. 5).

    Attributes:
        name: As it stands in a manifest, with its parameter.
        show: Maps (..., H, W) to what the model sees; the very same tensor if nothing changes.
        invert: Maps what the model sees back.
        sign: What a noise estimate is multiplied with on its way back; a variance never is.
        component: The part of the noise estimate that this view decides on, or None for all of it.
        read: Maps the finished picture to what a person sees through this view.
    """

    name: str
    show: Map
    invert: Map
    read: Map
    sign: int = 1
    component: Map | None = None

    @property
    def is_orthogonal(self) -> bool:
        """Whether the view permutes or negates pixels and keeps all of the estimate."""
        return self.component is None

    def invert_noise(self, noise_pred: Tensor) -> Tensor:
        """Return a noise estimate of the shown picture as one of the picture itself."""
        noise_pred = self.invert(noise_pred)
        if self.sign < 0:
            noise_pred = -noise_pred
        return noise_pred if self.component is None else self.component(noise_pred)


def _same(x: Tensor) -> Tensor:
    return x


def _flip(x: Tensor) -> Tensor:
    return x.flip(-2)


def _mirror(x: Tensor) -> Tensor:
    return x.flip(-1)


def _negate(x: Tensor) -> Tensor:
    return -x


def _rotate(quarters: int) -> Map:
    return lambda x: x.rot90(quarters, (-2, -1))


def _orthogonal(show: Map, invert: Map) -> Callable[[str], View]:
    return lambda name: View(name, show, invert, read=show)


def _negation(name: str) -> View:
    # The sign is undone by `sign`, not by `invert`: the variance has no sign to undo.
    return View(name, _negate, _same, read=_negate, sign=-1)


def _low_pass(name: str, sigma: float) -> View:
    def keep(x: Tensor) -> Tensor:
        return filters.low_pass(x, sigma)

    return View(name, _same, _same, read=keep, component=keep)


def _high_pass(name: str, sigma: float) -> View:
    def keep(x: Tensor) -> Tensor:
        return filters.high_pass(x, sigma)

    return View(name, _same, _same, read=_same, component=keep)


PLAIN: dict[str, Callable[[str], View]] = {
    "identity": _orthogonal(_same, _same),
    "flip": _orthogonal(_flip, _flip),
    "mirror": _orthogonal(_mirror, _mirror),
    "rotate_90": _orthogonal(_rotate(1), _rotate(-1)),
    "rotate_180": _orthogonal(_rotate(2), _rotate(2)),
    "rotate_270": _orthogonal(_rotate(3), _rotate(-3)),
    "negate": _negation,
}
"""Views without a parameter. Rotations are counter-clockwise."""

WITH_SIGMA: dict[str, Callable[[str, float], View]] = {
    "low_pass": _low_pass,
    "high_pass": _high_pass,
}
"""Views with a sigma, in pixels of a 64-px picture, as in `low_pass:2`."""

MAX_SIGMA = 16.0


def names() -> list[str]:
    """Return every view as a user would write it, with a sample parameter."""
    return [*PLAIN, *(f"{name}:2" for name in WITH_SIGMA)]


def view(name: str) -> View:
    """Return the view of this name.

    Raises:
        ValueError: If the name is unknown or its parameter is missing, surplus or out of range.
    """
    base, colon, parameter = name.partition(":")
    if base in PLAIN:
        if colon:
            raise ValueError(f"view {name!r} has a parameter; {base} takes none")
        return PLAIN[base](name)
    if base in WITH_SIGMA:
        return WITH_SIGMA[base](name, _sigma(name, parameter))
    raise ValueError(f"view {name!r} is unknown; choose from {', '.join(names())}")


def _sigma(name: str, parameter: str) -> float:
    try:
        sigma = float(parameter)
    except ValueError:
        sigma = math.nan
    if not 0 < sigma <= MAX_SIGMA or parameter != f"{sigma:g}":
        base = name.partition(":")[0]
        raise ValueError(
            f"view {name!r} needs a sigma above 0 and up to {MAX_SIGMA:g}, "
            f"written as in {base}:2 or {base}:1.5"
        )
    return sigma
