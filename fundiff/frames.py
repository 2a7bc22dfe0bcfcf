"""Isometries: how a picture is turned, cut up or negated before it is looked at.

No tensor is made here and torch is not imported, so that a manifest can be checked without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fundiff.permutations import CellMap, Cells

if TYPE_CHECKING:
    from torch import Tensor

Map = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, slots=True)
class Frame:
    """An isometry: how a picture is turned, cut up or negated before it is looked at.

    Attributes:
        name: As it stands in a manifest; `identity` where nothing changes.
        show: Maps (..., H, W) to what the model sees; the very same tensor if nothing changes.
        invert: Maps what the model sees back, but for the sign.
        sign: What a noise estimate is multiplied with on its way back; a variance never is.
        cells: The map of a grid's cells, for a view that cuts the picture into pieces.
    """

    name: str
    show: Map
    invert: Map
    sign: int = 1
    cells: CellMap | None = None

    def then(self, other: Frame) -> Frame:
        """Return the frame that turns a picture as this one does, and then as the other does."""
        if self.name == IDENTITY.name:
            return other
        return Frame(
            f"{self.name}+{other.name}",
            lambda x: other.show(self.show(x)),
            lambda x: self.invert(other.invert(x)),
            self.sign * other.sign,
        )


def _same(x: Tensor) -> Tensor:
    return x


def _flip(x: Tensor) -> Tensor:
    return x.flip(-2)


def _mirror(x: Tensor) -> Tensor:
    return x.flip(-1)


def _rotate(quarters: int) -> Map:
    return lambda x: x.rot90(quarters, (-2, -1))


def permuted(name: str, cells: CellMap) -> Frame:
    """Return the frame of a permutation; its indices are worked out per size of picture."""
    indices: dict[int, tuple[Cells, Cells]] = {}

    def index(x: Tensor, inverse: int) -> Tensor:
        size = x.shape[-1]
        if size not in indices:
            pixels = cells.pixels(size)
            indices[size] = (pixels, pixels.argsort())
        return x.flatten(-2)[..., indices[size][inverse]].view(x.shape)

    return Frame(name, lambda x: index(x, 0), lambda x: index(x, 1), cells=cells)


IDENTITY = Frame("identity", _same, _same)

PLAIN_FRAMES = {
    frame.name: frame
    for frame in (
        IDENTITY,
        Frame("flip", _flip, _flip),
        Frame("mirror", _mirror, _mirror),
        Frame("rotate_90", _rotate(1), _rotate(-1)),
        Frame("rotate_180", _rotate(2), _rotate(2)),
        Frame("rotate_270", _rotate(3), _rotate(-3)),
        # The sign is undone by `sign`, not by `invert`: the variance has no sign to undo.
        Frame("negate", lambda x: -x, _same, sign=-1),
    )
}
"""Frames without a parameter."""
