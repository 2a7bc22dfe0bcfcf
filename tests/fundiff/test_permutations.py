"""The views that cut a picture into pieces: bijections that every size agrees on."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from fundiff.permutations import (
    CellMap,
    inner_circle,
    jigsaw,
    jigsaw_pieces,
    patch_permute,
    shuffled,
    skew,
    square_hinge,
)

MAPS = {
    "patch_permute 2": patch_permute(2, 1),
    "patch_permute 8": patch_permute(8, 7),
    "patch_permute 64": patch_permute(64, 7),
    "skew 1.5": skew(1.5),
    "skew -0.7": skew(-0.7),
    "skew 8 of 64": skew(8, 64),
    "inner_circle": inner_circle(),
    "inner_circle of 64": inner_circle(64),
    "square_hinge": square_hinge(),
    "square_hinge of 64": square_hinge(64),
    "jigsaw 7": jigsaw(7),
    "jigsaw 8 of 64": jigsaw(8, 64),
    **{f"jigsaw {seed}": jigsaw(seed) for seed in range(20, 30)},
}


def coordinates(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return row and column of pixel numbers, (2, size, size)."""
    return np.stack(np.divmod(pixels.reshape(size, size), size))


def fingerprint(cells: CellMap) -> str:
    """Return a short hash of where a 64-px picture's pixels come from."""
    return hashlib.sha256(cells.pixels(64).astype("<i8").tobytes()).hexdigest()[:16]


def connected(cells: set[tuple[int, int]]) -> bool:
    """Whether one can walk from any cell to any other over shared sides."""
    unseen, edge = set(cells), [next(iter(cells))]
    unseen.discard(edge[0])
    while edge:
        row, column = edge.pop()
        near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
        edge += near & unseen
        unseen -= near
    return not unseen


def outline(cells: set[tuple[int, int]]) -> tuple:
    """Return a shape whatever its place and its quarter turns."""
    points, turned = np.array(sorted(cells)), []
    for _ in range(4):
        points = np.column_stack([-points[:, 1], points[:, 0]])
        turned.append(tuple(sorted(map(tuple, (points - points.min(0)).tolist()))))
    return min(turned)


def pieces_of(owner: np.ndarray, grid: int) -> list[set[tuple[int, int]]]:
    """Return the cells of each of the sixteen pieces."""
    return [
        {divmod(int(cell), grid) for cell in np.flatnonzero(owner == piece)} for piece in range(16)
    ]


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("name", MAPS)
def test_every_pixel_is_shown_exactly_once(name, size):
    """A bijection at every size."""
    assert np.array_equal(np.sort(MAPS[name].pixels(size)), np.arange(size**2))


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("name", MAPS)
def test_a_piece_moves_as_one_rigid_body(name, size):
    """Its pixels come from their place turned by quarters and shifted, one motion a piece."""
    cells = MAPS[name]
    side = size // cells.grid
    came_from = coordinates(cells.pixels(size), size)
    for piece in cells.pieces:
        row, column = divmod(int(piece[0]), cells.grid)
        turns = int(cells.turns[row, column])
        at = np.stack(np.divmod(piece, cells.grid)) * side
        inside = np.indices((side, side)).reshape(2, 1, -1)
        places = (at[:, :, None] + inside).reshape(2, -1)
        sources = came_from[:, places[0], places[1]]
        rotation = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turns)
        shift = sources - rotation @ places
        assert (shift == shift[:, :1]).all()


@pytest.mark.parametrize("name", MAPS)
def test_the_pieces_are_all_cells_once_and_each_is_connected(name):
    """Neighbours that move alike belong together."""
    cells = MAPS[name]
    assert np.array_equal(np.sort(np.concatenate(cells.pieces)), np.arange(cells.grid**2))
    for piece in cells.pieces:
        assert connected({divmod(int(cell), cells.grid) for cell in piece})


@pytest.mark.parametrize("grid", [32, 64])
def test_the_jigsaw_has_sixteen_interlocking_pieces_each_connected(grid):
    """None is a rectangle: every one has a knob or a notch."""
    owner = jigsaw_pieces(grid)
    pieces = pieces_of(owner, grid)
    assert sum(map(len, pieces)) == grid**2
    for piece in pieces:
        assert connected(piece)
        rows, columns = zip(*piece, strict=True)
        box = (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
        assert len(piece) < box


@pytest.mark.parametrize("grid", [32, 64])
def test_the_jigsaws_pieces_are_of_four_shapes_with_four_places_each(grid):
    """Up to quarter turns, so that every piece has three others to change places with."""
    shapes = Counter(map(outline, pieces_of(jigsaw_pieces(grid), grid)))
    assert sorted(shapes.values()) == [4, 4, 4, 4]


@pytest.mark.parametrize("grid", [32, 64])
@pytest.mark.parametrize("seed", [0, 7, 8])
def test_a_shuffled_jigsaw_fills_every_place_with_one_whole_piece(seed, grid):
    """Place by place: all of its cells come from the same piece, another for every place."""
    owner = jigsaw_pieces(grid)
    came_from = owner[jigsaw(seed, grid).source.ravel()]
    there = [set(came_from[owner == place].tolist()) for place in range(16)]
    assert all(len(pieces) == 1 for pieces in there)
    assert sorted(pieces.pop() for pieces in there) == list(range(16))


@pytest.mark.parametrize("grid", [32, 64])
@pytest.mark.parametrize("seed", [0, 7, 8])
def test_a_shuffled_jigsaws_pieces_are_turned_by_quarters_pixel_by_pixel(seed, grid):
    """In each place one quarter turn and one shift say where every pixel came from."""
    size = 2 * grid
    owner = jigsaw_pieces(grid).reshape(grid, grid).repeat(2, 0).repeat(2, 1)
    came_from, quarter = coordinates(jigsaw(seed, grid).pixels(size), size), [[0, 1], [-1, 0]]
    turns = []
    for place in range(16):
        places = np.stack(np.nonzero(owner == place))
        sources = came_from[:, places[0], places[1]]
        rigid = []
        for k in range(4):
            shift = sources - np.linalg.matrix_power(np.array(quarter), k) @ places
            rigid.append(bool((shift == shift[:, :1]).all()))
        assert sum(rigid) == 1
        turns.append(rigid.index(True))
    assert len(set(turns)) > 1


@pytest.mark.parametrize("grid", [32, 64])
def test_the_inner_circle_turns_a_disc_half_around_and_leaves_the_rest(grid):
    """Within 3/8 of the side from the centre; a half turn undoes itself."""
    cells = inner_circle(grid)
    row, column = np.indices((grid, grid)) - (grid - 1) / 2
    inside = np.hypot(row, column) < 3 / 8 * grid
    here = np.arange(grid**2).reshape(grid, grid)
    assert np.array_equal(cells.source[~inside], here[~inside])
    assert (cells.turns[~inside] == 0).all()
    assert np.array_equal(cells.source[inside], here[::-1, ::-1][inside])
    assert (cells.turns[inside] == 2).all()
    assert 0.4 < inside.mean() < 0.5
    pixels = cells.pixels(128)
    assert np.array_equal(pixels[pixels], np.arange(128**2))


@pytest.mark.parametrize("grid", [32, 64])
def test_the_square_hinge_turns_nine_squares_left_and_right_in_a_chequer(grid):
    """Each square is a quarter turn of what it was; the margin stays."""
    size, side, margin = 2 * grid, 20 * grid // 32, 2 * grid // 32
    picture = np.random.default_rng(0).random((size, size))
    shown = picture.ravel()[square_hinge(grid).pixels(size)].reshape(size, size)
    rest = np.ones((size, size), bool)
    for number in range(9):
        row, column = margin + number // 3 * side, margin + number % 3 * side
        square = (slice(row, row + side), slice(column, column + side))
        quarter = 1 if number % 2 == 0 else -1
        assert np.array_equal(shown[square], np.rot90(picture[square], quarter))
        rest[square] = False
    assert np.array_equal(shown[rest], picture[rest])
    assert rest.mean() == pytest.approx(1 - (30 / 32) ** 2)


@pytest.mark.parametrize("factor", [1.5, -0.5, 8])
@pytest.mark.parametrize("grid", [32, 64])
def test_a_skew_rolls_each_column_further_than_the_one_before(factor, grid):
    """Column i goes down by factor (i - grid / 2) cells, halves upwards, around the border."""
    picture = np.random.default_rng(0).random((grid, grid))
    shown = picture.ravel()[skew(factor, grid).pixels(grid)].reshape(grid, grid)
    for column in range(grid):
        shift = int(np.floor(factor * (column - grid / 2) + 0.5))
        assert np.array_equal(shown[:, column], np.roll(picture[:, column], shift))


@pytest.mark.parametrize("blocks", [2, 8, 32])
def test_a_patch_permutation_moves_whole_squares_without_turning_them(blocks):
    """Every square that is shown is one of the picture's, each once."""
    side = 64 // blocks
    number = np.arange(blocks**2).reshape(blocks, blocks).repeat(side, 0).repeat(side, 1)
    inside = np.tile(np.arange(side**2).reshape(side, side), (blocks, blocks))
    pixels = patch_permute(blocks, 7).pixels(64)
    shown = number.ravel()[pixels].reshape(64, 64)
    firsts = shown[::side, ::side]
    assert np.array_equal(shown, firsts.repeat(side, 0).repeat(side, 1))
    assert sorted(firsts.ravel()) == list(range(blocks**2))
    assert np.array_equal(inside.ravel()[pixels].reshape(64, 64), inside)


@pytest.mark.parametrize(
    "make",
    [jigsaw, lambda seed: jigsaw(seed, 64), lambda seed: patch_permute(8, seed)],
    ids=["jigsaw", "jigsaw of 64", "patch_permute"],
)
def test_a_seed_decides_the_map_and_another_seed_another_map(make):
    """Of twenty seeds no two agree."""
    assert fingerprint(make(7)) == fingerprint(make(7))
    assert len({fingerprint(make(seed)) for seed in range(20)}) == 20


def test_a_shuffle_is_that_of_its_hashes_and_of_no_library():
    """Sorted by SHA-256 of what is shuffled, the seed and the number."""
    by_hash = sorted(range(9), key=lambda n: hashlib.sha256(f"eggs/3/{n}".encode()).hexdigest())
    assert shuffled(9, 3, "eggs") == by_hash


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (jigsaw(7), "cb7a2afd40003c8f"),
        (jigsaw(7, 64), "f39bfa2cc6244dcb"),
        (patch_permute(8, 7), "1bcc6a650d76cdb6"),
    ],
    ids=["jigsaw:seed=7", "jigsaw:seed=7:grid=64", "patch_permute:8:seed=7"],
)
def test_the_maps_of_a_name_never_change(cells, wanted):
    """Printed pictures are turned back with them, years later."""
    assert fingerprint(cells) == wanted


@pytest.mark.parametrize(("size", "grid"), [(8, 32), (48, 32), (32, 64)])
def test_a_picture_that_does_not_divide_into_cells_is_refused(size, grid):
    """With both numbers and what to do."""
    with pytest.raises(
        ValueError, match=f"{size} px does not divide into {grid} cells a side; choose a view"
    ):
        inner_circle(grid).pixels(size)
