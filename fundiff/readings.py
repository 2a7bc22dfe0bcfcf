"""What a judge is shown of a picture: from near and far, in halves, around the hole."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from fundiff.filters import REFERENCE_SIZE, low_pass
from fundiff.views import View

DISTANCES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Blurs at which a hybrid is read to find where it changes, sigma in pixels of 64."""

CONTEXT = 1.5
"""Side of what is shown around a hole, by the longer side of the hole."""


def from_afar(picture: Tensor, sigma: float) -> Tensor:
    """Return a picture as it is seen from where details below sigma are lost, same size.

    Args:
        picture: (3, H, H).
        sigma: Of a Gaussian blur, in pixels of a 64-px picture; 0 is from near.
    """
    return low_pass(picture, sigma) if sigma else picture


def shrunk(picture: Tensor, sigma: float) -> Tensor:
    """Return a picture as small as it looks from where `from_afar` blurs it: a pixel is 2 sigma.

    Oliva, Torralba & Schyns, 2006: Hybrid images, doi:10.1145/1141911.1141919, view them so.

    Args:
        picture: (3, H, H) in [-1, 1].
        sigma: As in `from_afar`, above 0.
    """
    side = max(1, round(REFERENCE_SIZE / (2 * sigma)))
    if side >= picture.shape[-1]:
        return picture
    small = interpolate(picture[None], (side, side), mode="bilinear", antialias=True)
    return small[0].clamp(-1, 1)


def halves(picture: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return left and right, then top and bottom, the other half blank in the mean colour.

    Args:
        picture: (3, H, H).
    """
    size = picture.shape[-1]
    blank = picture.mean((-2, -1), keepdim=True).expand_as(picture)
    first = torch.arange(size) < size // 2
    columns = first.expand(size, size)
    return [
        (picture.where(mask, blank), picture.where(~mask, blank)) for mask in (columns, columns.T)
    ]


def around(hole: Tensor, view: View) -> tuple[slice, slice]:
    """Return the rows and columns of a square around a hole, as a view shows it.

    Args:
        hole: (1, H, H), 1 where the picture was drawn.
        view: Through which it is read.
    """
    shown = view.show(hole)[0].abs() > 0
    size = shown.shape[-1]
    if not bool(shown.any()):
        return slice(0, size), slice(0, size)
    edges = [shown.any(axis).nonzero()[:, 0] for axis in (1, 0)]
    bounds = [(int(edge[0]), int(edge[-1]) + 1) for edge in edges]
    side = min(size, round(CONTEXT * max(stop - start for start, stop in bounds)))
    rows, columns = (_centred(start, stop, side, size) for start, stop in bounds)
    return rows, columns


def _centred(start: int, stop: int, side: int, size: int) -> slice:
    """Return `side` pixels around start..stop that lie within 0..size."""
    first = min(max(0, (start + stop - side) // 2), size - side)
    return slice(first, first + side)


def change_distance(margins: Sequence[float]) -> float | None:
    """Return the distance from which on a hybrid reads as its far prompt, None if it never does.

    Args:
        margins: Far prompt's fit less the near prompt's, at each of `DISTANCES`.
    """
    reached = None
    for distance, margin in zip(DISTANCES, margins, strict=True):
        if margin <= 0:
            reached = None
        elif reached is None:
            reached = distance
    return reached


def split_lead(whole: Tensor, parts: Tensor) -> float:
    """Return by how much two halves fit two prompts better than the whole picture does.

    Two subjects side by side are no illusion: each half then fits its prompt by itself, as well
    as the whole picture does, and another half another prompt.

    Args:
        whole: (views,), fit of each view to its own prompt.
        parts: (cuts, 2, views), likewise of the two halves of each cut.

    Returns:
        The largest lead over cuts, pairs of views, and which half is read in which view; below 0
        where both subjects need the whole picture.
    """
    views = len(whole)
    leads = [
        torch.minimum(parts[:, half, i], parts[:, 1 - half, j]) - torch.minimum(whole[i], whole[j])
        for i in range(views)
        for j in range(i + 1, views)
        for half in (0, 1)
    ]
    return float(torch.stack(leads).max())
