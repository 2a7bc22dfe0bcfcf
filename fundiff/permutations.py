"""The views that cut a picture into pieces and put them down elsewhere: bijections of pixels.

Each is defined on a coarse grid of cells, so that pictures of 64, 256 and 1024 px agree to the
pixel: a cell moves as a whole and turns by quarters. Numpy alone, no torch.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int64]

GRID = 32
"""Cells on a side: the finest grid that the pictures of every cascade's first stage have."""

CIRCLE_RADIUS = 3 / 8
"""Of the disc of `inner_circle`, as a share of the picture's side."""


@dataclass(frozen=True, eq=False)
class CellMap:
    """Where each cell of a square grid comes from, and how its content turns on the way.

    Attributes:
        source: (grid, grid), row-major number of the cell that is shown at each place.
        turns: (grid, grid), counter-clockwise quarter turns of its content, 0 to 3.
    """

    source: Cells
    turns: Cells

    @property
    def grid(self) -> int:
        """Cells on a side."""
        return len(self.source)

    @property
    def is_identity(self) -> bool:
        """Whether every cell stays where it is."""
        return bool((self.source.ravel() == np.arange(self.grid**2)).all())

    def pixels(self, size: int) -> Cells:
        """Return, for every pixel of a picture that is shown, the number of the one it was.

        Args:
            size: Side of the picture, a multiple of the grid.

        Raises:
            ValueError: If the grid's cells are not whole pixels of such a picture.
        """
        if size % self.grid:
            raise ValueError(
                f"a picture of {size} px does not divide into {self.grid} cells a side; "
                "choose a view with fewer, or a model that draws larger pictures"
            )
        side = size // self.grid
        inside = np.stack(
            [np.rot90(np.arange(side**2).reshape(side, side), turns) for turns in range(4)]
        )[self.turns]
        row, column = inside // side, inside % side
        first = (self.source // self.grid * size + self.source % self.grid) * side
        pixels = first[:, :, None, None] + row * size + column
        return pixels.transpose(0, 2, 1, 3).reshape(-1)

    @cached_property
    def pieces(self) -> tuple[Cells, ...]:
        """The places of the cells that move as one: neighbours with the same rigid motion."""
        shift = _centred(np.arange(self.grid**2), self.grid) - _turned(
            _centred(self.source.ravel(), self.grid), self.turns.ravel()
        )
        motions = [tuple(motion) for motion in np.column_stack([self.turns.ravel(), shift])]
        unseen, pieces = set(range(self.grid**2)), []
        while unseen:
            piece, edge = [], [unseen.pop()]
            while edge:
                piece.append(cell := edge.pop())
                near = {c for c in self._neighbours(cell) if motions[c] == motions[cell]} & unseen
                unseen -= near
                edge += near
            pieces.append(np.sort(np.array(piece)))
        return tuple(pieces)

    def _neighbours(self, cell: int) -> Iterator[int]:
        row, column = divmod(cell, self.grid)
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if 0 <= row + down < self.grid and 0 <= column + right < self.grid:
                yield (row + down) * self.grid + column + right


def _centred(cells: Cells, grid: int) -> Cells:
    """Return row and column of cells, (n, 2), twice over, so that they count from the centre."""
    return np.column_stack([cells // grid, cells % grid]) * 2 - (grid - 1)


def _turned(points: Cells, turns: Cells | int) -> Cells:
    """Return points (row, column) after counter-clockwise quarter turns about the centre."""
    row, column = points[:, 0], points[:, 1]
    quarter = np.asarray(turns) % 4
    return np.column_stack(
        [
            np.choose(quarter, [row, -column, -row, column]),
            np.choose(quarter, [column, row, -column, -row]),
        ]
    )


def shuffled(count: int, seed: int, what: str) -> list[int]:
    """Return the numbers below `count` in an order that follows from the seed, the same forever.

    Ordered by SHA-256, since the shuffles of libraries may change between their versions.
    """

    def key(number: int) -> bytes:
        return hashlib.sha256(f"{what}/{seed}/{number}".encode()).digest()

    return sorted(range(count), key=key)


def patch_permute(blocks: int, seed: int) -> CellMap:
    """Return a permutation of `blocks` x `blocks` squares."""
    source = np.array(shuffled(blocks**2, seed, "patch_permute")).reshape(blocks, blocks)
    return CellMap(source, np.zeros_like(source))


def skew(factor: float, grid: int = GRID) -> CellMap:
    """Return a shear with wrap-around: column i is rolled down by round(factor (i - grid / 2))."""
    rows, columns = np.indices((grid, grid))
    shift = np.floor(factor * (columns - grid / 2) + 0.5).astype(np.int64)
    source = (rows - shift) % grid * grid + columns
    return CellMap(source, np.zeros_like(source))


def inner_circle(grid: int = GRID) -> CellMap:
    """Return a half turn of the disc in the middle; what is around it stays."""
    source = np.arange(grid**2)
    inside = (_centred(source, grid) ** 2).sum(1) < (2 * CIRCLE_RADIUS * grid) ** 2
    source = np.where(inside, source[::-1], source)
    return CellMap(source.reshape(grid, grid), (2 * inside).reshape(grid, grid))


def square_hinge(grid: int = GRID) -> CellMap:
    """Return quarter turns of 3 x 3 squares, left and right in a chequer, as hinged tiles turn.

    A square is 10/32 of the side, since thirds of the picture are no whole cells: a margin of one
    32nd stays.
    """
    side, margin = 10 * grid // 32, grid // 32
    source, turns = np.arange(grid**2).reshape(grid, grid), np.zeros((grid, grid), np.int64)
    for number in range(9):
        row, column = margin + number // 3 * side, margin + number % 3 * side
        square = (slice(row, row + side), slice(column, column + side))
        quarter = 1 if number % 2 == 0 else 3
        source[square] = np.rot90(source[square].copy(), quarter)
        turns[square] = quarter
    return CellMap(source, turns)


PIECES = 4
"""Pieces on a side of the jigsaw."""


def jigsaw(seed: int, grid: int = GRID) -> CellMap:
    """Return a shuffle of a jigsaw of 4 x 4 interlocking pieces, each where its shape fits.

    Pieces whose row and column add up to an even number have their knobs left and right, the
    others above and below, so corners fit at every corner, and the rest likewise.
    """
    owner = jigsaw_pieces(grid)
    shapes = [_shape(owner, piece, turns) for piece in range(PIECES**2) for turns in range(4)]
    source, turned = np.arange(grid**2), np.zeros(grid**2, np.int64)
    free = shuffled(PIECES**2, seed, "jigsaw")
    for place in range(PIECES**2):
        fits = [(p, k) for p in free for k in range(4) if shapes[4 * p + k] == shapes[4 * place]]
        piece = fits[0][0]
        ways = [turns for p, turns in fits if p == piece]
        turns = ways[shuffled(len(ways), seed, f"turns of {place}")[0]]
        free.remove(piece)

        # Every cell of the place, turned back about the piece's centre, is where it came from.
        there = np.flatnonzero(owner == place)
        local = _centred(there, grid) - _centre(place, grid)
        back = _turned(local, -turns) + _centre(piece, grid)
        source[there] = ((back + grid - 1) // 2) @ np.array([grid, 1])
        turned[there] = turns
    return CellMap(source.reshape(grid, grid), turned.reshape(grid, grid))


def jigsaw_pieces(grid: int) -> Cells:
    """Return the number of the piece that each cell of the jigsaw belongs to, (grid^2,)."""
    side = grid // PIECES
    rows, columns = np.divmod(np.arange(grid**2), grid)
    owner: Cells = rows // side * PIECES + columns // side
    for piece in range(PIECES**2):
        row, column = divmod(piece, PIECES)
        sideways = (row + column) % 2 == 0
        for down, right in ((0, -1), (0, 1)) if sideways else ((-1, 0), (1, 0)):
            if 0 <= row + down < PIECES and 0 <= column + right < PIECES:
                # Distance outwards from the edge and along it, in sides of a piece.
                y = (rows + 0.5) / side - (row + 0.5)
                x = (columns + 0.5) / side - (column + 0.5)
                out, along = y * down + x * right - 0.5, np.abs(y * right + x * down)
                knob = (out > 0) & ((out - 0.19) ** 2 + along**2 < 0.2**2)
                owner = np.where(knob, piece, owner)
    return owner


def _centre(piece: int, grid: int) -> Cells:
    row, column = divmod(piece, PIECES)
    return (np.array([row, column]) * 2 + 1 - PIECES) * (grid // PIECES)


def _shape(owner: Cells, piece: int, turns: int) -> frozenset[tuple[int, ...]]:
    """Return a piece's cells about its centre, after quarter turns."""
    grid = int(len(owner) ** 0.5)
    local = _centred(np.flatnonzero(owner == piece), grid) - _centre(piece, grid)
    points: Sequence[Sequence[int]] = _turned(local, turns).tolist()
    return frozenset(tuple(point) for point in points)
