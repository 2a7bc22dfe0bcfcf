"""How a picture moves: cards that turn over, pieces that fly, pictures that recede."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from fundiff.filters import low_pass
from fundiff.permutations import CellMap, Cells

PAPER = (250, 248, 244)
"""What is seen where no picture is: the gallery's background."""

EYE = 4.0
"""How far from a card in space the eye is, in halves of the card's side."""

THINNEST = 0.02
"""Height of a card seen edge-on, as a share of its own: one empty frame would flicker."""

AWAY = 0.3
"""Size at which a receding picture turns round, as a share of its own."""

FINE = 2
"""What moves is drawn so many times larger and then reduced, so that its edges are smooth."""

Move = Callable[[float], Image.Image]
"""From the share of the way, above 0 and below 1, to what is seen there."""


def fade(before: Image.Image, after: Image.Image, share: float) -> Image.Image:
    """Return one picture turning into the other everywhere at once; a negative through grey."""
    return Image.blend(before, after, share)


def wipe(before: Image.Image, after: Image.Image, share: float) -> Image.Image:
    """Return one picture giving way to the other behind a white edge that moves to the right."""
    width, height = before.size
    edge, thick = round(share * width), max(1, width // 128)
    frame = before.copy()
    frame.paste((255, 255, 255), (edge, 0, min(edge + thick, width), height))
    frame.paste(after.crop((0, 0, edge, height)), (0, 0))
    return frame


def recede(picture: Image.Image, sigma: float, share: float) -> Image.Image:
    """Return a picture on its way into the distance and back, from where it comes blurred.

    Args:
        picture: Square.
        sigma: Of the blur at the end, in pixels of a 64-px picture.
        share: Of the way; at 1/2 the picture is furthest away and loses nothing more.
    """
    from fundiff.pictures import to_image, to_tensor

    side = picture.width
    size = 1 - (1 - AWAY) * math.sin(math.pi * share) ** 2
    margin = round((1 - size) * side / 2)
    inner = max(1, side - 2 * margin)
    small = picture.resize((inner, inner), Image.Resampling.LANCZOS)
    frame = Image.new("RGB", picture.size, PAPER)
    frame.paste(to_image(low_pass(to_tensor(small), sigma * min(1, 2 * share))), (margin, margin))
    return frame


def turn(picture: Image.Image, degrees: float, share: float) -> Image.Image:
    """Return a picture on its way around its centre, small enough that no corner is cut off.

    Args:
        picture: Square.
        degrees: Of the whole turn, counter-clockwise.
        share: Of the turn.
    """
    angle = math.radians(degrees * share)
    cos, sin = math.cos(angle), math.sin(angle)
    # In a half turn it stays small on the way: to swell and shrink at the quarter would disturb.
    steepest = math.radians(min(45, abs(degrees) * min(share, 1 - share)))
    size = 1 / (math.cos(steepest) + math.sin(steepest))
    # Rows point down, so what turns counter-clockwise is looked up clockwise.
    back = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return _drawn(picture, back @ np.diag([1 / size, 1 / size, 1]))


def turn_over(picture: Image.Image, upright: bool, share: float) -> Image.Image:
    """Return a card on its way around its middle; once edge-on is passed its back is seen.

    On the back is the picture as it shines through, so that at the end it is mirrored exactly.

    Args:
        picture: Square.
        upright: Whether the axis is, as for `mirror`; it lies, as for `flip`, if not.
        share: Of the half turn.
    """
    cos, sin = math.cos(math.pi * share), math.sin(math.pi * share)
    cos = math.copysign(max(abs(cos), THINNEST), cos)
    # A point (x, y) of the card is at (x, y cos, y sin) in space, and the eye sees it at
    # (x, y cos) EYE / (EYE + y sin); this is solved for x and y. The near edge is to fit.
    size = 1 - sin / EYE
    back = np.array([[1, 0, 0], [0, 1 / cos, 0], [0, -sin / (cos * EYE), 1]])
    back = back @ np.diag([1 / size, 1 / size, 1])
    swap = [1, 0, 2] if upright else [0, 1, 2]
    return _drawn(picture, back[np.ix_(swap, swap)])


def _drawn(picture: Image.Image, back: npt.NDArray[np.float64]) -> Image.Image:
    """Return the picture above paper, where a homography puts it.

    Args:
        picture: Square.
        back: (3, 3), from points of the frame to points of the picture; (x, y) count right and
            down from the centre in halves of the side.
    """
    half, fine = picture.width / 2, picture.width * FINE
    to_points = np.array([[2 / fine, 0, -1], [0, 2 / fine, -1], [0, 0, 1]])
    to_pixels = np.array([[half, 0, half], [0, half, half], [0, 0, 1]])
    pixels = to_pixels @ back @ to_points
    pixels /= pixels[2, 2] or 1e-12
    drawn = picture.transform(
        (fine, fine),
        Image.Transform.PERSPECTIVE,
        pixels.ravel()[:8].tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=PAPER,
    )
    return drawn.reduce(FINE)


MOTIONS: dict[str, Callable[[Image.Image], Move]] = {
    "flip": lambda picture: partial(turn_over, picture, False),
    "mirror": lambda picture: partial(turn_over, picture, True),
    "rotate_90": lambda picture: partial(turn, picture, 90),
    "rotate_180": lambda picture: partial(turn, picture, 180),
    "rotate_270": lambda picture: partial(turn, picture, -90),
}
"""Of the frames by name. Those that cut fly, and others fade."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A rigid piece of a picture, and its way.

    Attributes:
        piece: RGBA, cropped to its bounding box; what does not belong to it is transparent.
        start: Its centre (x, y) where it was, in pixels.
        end: Its centre where it goes.
        degrees: By how much it turns meanwhile, counter-clockwise.
    """

    piece: Image.Image
    start: tuple[float, float]
    end: tuple[float, float]
    degrees: int

    @property
    def length(self) -> float:
        """Pixels from start to end."""
        return math.dist(self.start, self.end)

    def draw(self, frame: Image.Image, share: float) -> None:
        """Put the piece down on a frame where it is after this share of the way."""
        piece = self.piece
        if self.degrees:
            piece = piece.rotate(self.degrees * share, Image.Resampling.BICUBIC, expand=True)
        x, y = (a + (b - a) * share for a, b in zip(self.start, self.end, strict=True))
        corner = round(x - piece.width / 2), round(y - piece.height / 2)
        frame.paste(piece, corner, piece)


def fly(picture: Image.Image, cells: CellMap) -> Move:
    """Return the motion of a permutation's pieces, those that go furthest above the others.

    Args:
        picture: Its side a multiple of the grid's.
        cells: Where the pieces go, and how they turn.
    """
    fine = picture.resize((picture.width * FINE,) * 2, Image.Resampling.NEAREST)
    flights = [_flight(fine, cells, piece) for piece in cells.pieces]
    flights.sort(key=lambda flight: (flight.degrees != 0, flight.length))

    def move(share: float) -> Image.Image:
        frame = Image.new("RGB", fine.size, PAPER)
        for flight in flights:
            flight.draw(frame, share)
        return frame.reduce(FINE)

    return move


def _flight(picture: Image.Image, cells: CellMap, places: Cells) -> Flight:
    """Return the flight of the piece that goes to these places."""
    cell = picture.width // cells.grid
    there, here = (
        np.stack(np.divmod(numbers, cells.grid))
        for numbers in (places, cells.source.ravel()[places])
    )
    top, left = here.min(1)
    bottom, right = here.max(1) + 1
    mask = np.zeros((bottom - top, right - left), np.uint8)
    mask[here[0] - top, here[1] - left] = 255
    piece = picture.crop((left * cell, top * cell, right * cell, bottom * cell))
    piece.putalpha(Image.fromarray(mask).resize(piece.size, Image.Resampling.NEAREST))
    quarters = int(cells.turns.ravel()[places[0]])
    return Flight(piece, _middle(here, cell), _middle(there, cell), 90 * [0, 1, 2, -1][quarters])


def _middle(cells: Cells, cell: int) -> tuple[float, float]:
    """Return the centre (x, y) of the bounding box of cells (row and column, n), in pixels."""
    y, x = (cells.min(1) + cells.max(1) + 1) * cell / 2
    return float(x), float(y)
