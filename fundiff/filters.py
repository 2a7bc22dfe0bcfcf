"""Gaussian low and high pass as two small matrix products."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

REFERENCE_SIZE = 64
"""A sigma is given in pixels of a picture this wide, and scales with the picture."""


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
    """Return x, (..., H, W) and square, blurred by a Gaussian.

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
