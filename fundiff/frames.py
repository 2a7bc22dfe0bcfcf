"""Isometries: how a picture is turned, cut up or negated before it is looked at.

No tensor is made here and torch is not imported, so that a manifest can be checked without it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
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
        corners: Which corner is shown at top left, top right, bottom left and bottom right, for a
            view that leaves the picture in one piece.
    """

    name: str
    show: Map
    invert: Map
    sign: int = 1
    cells: CellMap | None = None
    corners: tuple[int, ...] | None = None

    @property
    def key(self) -> Hashable:
        """What frames that do the same have in common, such as `flip+mirror` and a half turn."""
        return self.name if self.corners is None else (self.corners, self.sign)

    def then(self, other: Frame) -> Frame:
        """Return the frame that turns a picture as this one does, and then as the other does."""
        if self.name == IDENTITY.name:
            return other
        return Frame(
            f"{self.name}+{other.name}",
            lambda x: other.show(self.show(x)),
            lambda x: self.invert(other.invert(x)),
            self.sign * other.sign,
            corners=self.corners
            and other.corners
            and tuple(self.corners[corner] for corner in other.corners),
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


IDENTITY = Frame("identity", _same, _same, corners=(0, 1, 2, 3))

PLAIN_FRAMES = {
    frame.name: frame
    for frame in (
        IDENTITY,
        Frame("flip", _flip, _flip, corners=(2, 3, 0, 1)),
        Frame("mirror", _mirror, _mirror, corners=(1, 0, 3, 2)),
        Frame("rotate_90", _rotate(1), _rotate(-1), corners=(1, 3, 0, 2)),
        Frame("rotate_180", _rotate(2), _rotate(2), corners=(3, 2, 1, 0)),
        Frame("rotate_270", _rotate(3), _rotate(-3), corners=(2, 0, 3, 1)),
        # The sign is undone by `sign`, not by `invert`: the variance has no sign to undo.
        Frame("negate", lambda x: -x, _same, sign=-1, corners=(0, 1, 2, 3)),
    )
}
"""Frames without a parameter."""
