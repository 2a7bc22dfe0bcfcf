"""The parts of a picture that a view can decide on: blurs, colour, motion, and what they leave.

Every part is a linear combination of products of three elementary filters, so that whether parts
add up to the whole picture is a matter of arithmetic on a few coefficients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

REFERENCE_SIZE = 64
"""Lengths are given in pixels of a picture this wide, and scale with the picture."""

Elementary = tuple[str, float]
"""Name of an elementary filter and its parameter; 0 where it has none."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A linear filter: a sum of products of elementary ones, each times a coefficient.

    Attributes:
        terms: Pairs of a product and its coefficient. The empty product is the picture itself;
            in others the first elementary filter is applied first.
    """

    terms: tuple[tuple[tuple[Elementary, ...], float], ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the filtered picture or estimate, (..., 3, H, W) and square."""
        filtered = x.new_zeros(x.shape)
        for product, coefficient in self.terms:
            filtered = filtered + coefficient * _product(x, product)
        return filtered

    def __add__(self, other: Filter) -> Filter:
        sums = dict(self.terms)
        for product, coefficient in other.terms:
            sums[product] = sums.get(product, 0.0) + coefficient
        return Filter(tuple((p, c) for p, c in sums.items() if abs(c) > 1e-9))

    def __sub__(self, other: Filter) -> Filter:
        return self + Filter(tuple((product, -c) for product, c in other.terms))

    def then(self, other: Filter) -> Filter:
        """Return the filter that applies this one first and the other one to what comes out."""
        nothing = Filter(())
        for first, a in self.terms:
            for second, b in other.terms:
                nothing = nothing + Filter(((_ordered((*first, *second)), a * b),))
        return nothing

    @property
    def is_whole(self) -> bool:
        """Whether it leaves every picture as it is."""
        return len(self.terms) == 1 and self.terms[0][0] == () and _near(self.terms[0][1], 1)


def _ordered(product: tuple[Elementary, ...]) -> tuple[Elementary, ...]:
    """Return a product with the mean of the channels last, once: it commutes with the others."""
    spatial = tuple(each for each in product if each[0] != "grayscale")
    return spatial if spatial == product else (*spatial, ("grayscale", 0.0))


def _near(a: float, b: float) -> bool:
    return abs(a - b) < 1e-9


def _product(x: Tensor, product: tuple[Elementary, ...]) -> Tensor:
    for name, parameter in product:
        match name:
            case "gaussian":
                x = low_pass(x, parameter)
            case "grayscale":
                x = grayscale(x)
            case "motion":
                x = motion(x, parameter)
    return x


WHOLE = Filter((((), 1.0),))


def gaussian(sigma: float) -> Filter:
    """Return the low pass of this sigma, in pixels of a 64-px picture."""
    return Filter((((("gaussian", sigma),), 1.0),))


def motion_blur(length: float) -> Filter:
    """Return the diagonal blur of this length, in pixels of a 64-px picture."""
    return Filter((((("motion", length),), 1.0),))


GRAYSCALE = Filter((((("grayscale", 0.0),), 1.0),))


@lru_cache(maxsize=32)
def gaussian_matrix(size: int, sigma: float) -> npt.NDArray[np.float64]:
    """Return the (size, size) matrix that blurs a column of pixels, borders reflected.

    Args:
        size: Pixels in the column.
        sigma: Standard deviation in pixels of this column. Rows sum to one.
    """
    reach = min(math.ceil(8 * sigma), size - 1)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    rows = np.arange(size)[:, None]
    columns = size - 1 - np.abs(size - 1 - np.abs(rows + offsets))
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.broadcast_to(rows, columns.shape), columns), weights / weights.sum())
    return matrix


def low_pass(x: Tensor, sigma: float) -> Tensor:
    """Return x, (..., H, W) and square, blurred by a Gaussian: two small matrix products.

    Args:
        x: Picture or estimate.
        sigma: Standard deviation in pixels of a 64-px picture; it scales with the size of x.
    """
    size = x.shape[-1]
    blur = x.new_tensor(gaussian_matrix(size, sigma * size / REFERENCE_SIZE))
    return blur @ x @ blur.T


def high_pass(x: Tensor, sigma: float) -> Tensor:
    """Return what `low_pass` takes away: the two add up to x."""
    return x - low_pass(x, sigma)


def grayscale(x: Tensor) -> Tensor:
    """Return x, (..., 3, H, W), with every channel the mean of the three."""
    return x.mean(-3, keepdim=True).expand_as(x)


def motion(x: Tensor, length: float) -> Tensor:
    """Return x, (..., H, W), averaged along the falling diagonal, borders reflected.

    Args:
        x: Picture or estimate.
        length: Pixels that the camera moves right and down while a 64-px picture is taken; it
            scales with the size of x.
    """
    size = x.shape[-1]
    half = length * size / REFERENCE_SIZE / 2
    reach = min(math.ceil(half - 0.5), size - 1)
    offsets = np.arange(-reach, reach + 1)
    weights = np.clip(half + 0.5 - np.abs(offsets), 0, 1)  # the ends may be cut within a pixel
    at = np.arange(size) + offsets[:, None]
    at = size - 1 - np.abs(size - 1 - np.abs(at))
    blurred = x.new_zeros(x.shape)
    for weight, moved in zip(weights / weights.sum(), at, strict=True):
        blurred = blurred + float(weight) * x[..., moved[:, None], moved[None]]
    return blurred
