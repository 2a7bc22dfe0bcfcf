"""The gallery: one self-contained HTML page that shows each picture in each of its views."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined

from fundiff.view_names import SORTS, bases, view
from fundiff.views import View

QUARTERS = {"rotate_90": 1, "rotate_180": 2, "rotate_270": 3}
"""Quarter turns to the left."""

TURNS = {"identity", "flip", "mirror", "negate", *QUARTERS}
"""The frames that the page makes of the picture itself, with CSS."""


def words(name: str) -> str:
    """Return what one does or sees in a view; a view that is unknown is called by its name."""
    seen = _known(name)
    if seen is None:
        return name
    if not seen.is_wanted:
        return "steered away from"
    plain = SORTS["identity"].words
    parts = [SORTS[base].words for base in bases(name)]
    return ", ".join(part for part in parts if part != plain) or plain


def is_live(name: str) -> bool:
    """Return whether the page makes this view of the picture itself, by turning or blurring it.

    The others are shown as pictures of their own, `Card.readings`; so is what lies between near
    and far. A view that is unknown is shown as the picture stands.
    """
    seen = _known(name)
    if seen is None:
        return True
    is_far = _sigma(seen) > 0 and seen.component == seen.reading
    return all(f.name in TURNS for f in seen.frames) and (seen.reading.is_whole or is_far)


def _known(name: str) -> View | None:
    try:
        return view(name)
    except ValueError:
        return None


def _sigma(seen: View) -> float:
    """Return the sigma of a reading from afar, in pixels of a 64-px picture; else 0."""
    match seen.reading.terms:
        case (((("gaussian", sigma),), 1.0),):
            return sigma
    return 0.0


def _turns(seen: View) -> str:
    """Return the turns that the page makes at once, quarters first, for these frames in order."""
    quarters, others = 0, set[str]()
    for frame in seen.frames:
        is_mirrored = len(others & {"flip", "mirror"}) == 1
        left = QUARTERS.get(frame.name, 0)
        quarters += -left if is_mirrored else left
        others ^= {frame.name} - {"identity", *QUARTERS}
    rotation = [name for name, left in QUARTERS.items() if left == quarters % 4]
    return " ".join([*rotation, *sorted(others)])


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of the gallery.

    Attributes:
        prompts: What is seen, one for each of `views`.
        views: Names of views, with their sigma if they have one.
        picture: PNG file, the final picture or that of the last stage it reached.
        original: PNG file of what an inpainting or edit started from; its transparent pixels are
            the hole.
        readings: PNG files of what is seen in the views that are not live; see `is_live`.
    """

    request_id: str
    kind: str
    prompts: tuple[str, ...]
    views: tuple[str, ...]
    rank: int
    candidate: int
    status: str
    score: float | None
    alignment: float | None
    concealment: float | None
    near: float | None
    far: float | None
    seam: float | None
    kept_error: float | None
    seed: int
    picture: bytes
    stage: int
    original: bytes | None = None
    tags: tuple[str, ...] = ()
    readings: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.views):
            raise ValueError(
                f"request {self.request_id} has {len(self.prompts)} prompts and "
                f"{len(self.views)} views; a card needs one view for each prompt"
            )
        for name in self.views:
            if not is_live(name) and name not in self.readings:
                raise ValueError(
                    f"request {self.request_id} has no reading of view {name!r}, which CSS cannot "
                    "make; give what the view reads in the picture"
                )

    @property
    def layers(self) -> list[bytes]:
        """The readings, each once."""
        return list(dict.fromkeys(self.readings[v] for v in self.views if v in self.readings))

    @property
    def sigma(self) -> float:
        """Of the farthest live view, in pixels of a 64-px picture; 0 if none is far."""
        return max((_sigma(view(v)) for v in self.views if is_live(v) and _known(v)), default=0)

    @property
    def panels(self) -> tuple[str, ...]:
        """Names of the square panels that the picture is a strip of; none for one picture."""
        if self.kind != "denoise":
            return ()
        from fundiff.denoise import PANELS  # imports torch

        return PANELS


@dataclass(frozen=True, slots=True)
class Still:
    """A card's picture in one view.

    Attributes:
        text: What is seen.
        seen: How to look, in words.
        view: What the page does to the picture, words of the stylesheet with spaces between.
        at: How far away it is read, 0 to 1, where the card's farthest view is 1.
        reading: Its number among the card's layers, if it is a picture of its own.
        is_near: Whether it is sharp and in colour: a card starts with such a view.
        is_original: Whether it is what an inpainting or edit started from.
    """

    text: str
    seen: str
    view: str
    at: float = 0.0
    reading: int | None = None
    is_near: bool = True
    is_original: bool = False


def stills(card: Card) -> Iterator[Still]:
    """Yield what a card shows: where it started from, if it did, then each of its views."""
    if card.original is not None:
        yield Still("the original", "before", "identity", is_original=True)
    for prompt, name in zip(card.prompts, card.views, strict=True):
        seen = "after" if card.original and name == "identity" else words(name)
        known = _known(name)
        if known is None:
            yield Still(prompt, seen, "identity")
            continue
        at = min(_sigma(known) / card.sigma, 1) if card.sigma else 0.0
        is_near = known.reading.is_whole
        if is_live(name):
            yield Still(prompt, seen, _live(name, known), at, is_near=is_near)
        else:
            number = card.layers.index(card.readings[name])
            yield Still(prompt, seen, "identity", at, number, is_near)


def _live(name: str, known: View) -> str:
    """Return what the stylesheet knows a live view by."""
    component = "" if known.component.is_whole else bases(name)[-1]
    if _sigma(known):
        component = "low_pass"
    return f"{_turns(known)} {component}".strip() or "identity"


def render(cards: Sequence[Card], *, title: str, note: str = "") -> str:
    """Return the page: cards by request in the order they come, best rank first.

    It needs no server and loads nothing: its pictures are data URIs, each there once, and its
    Content-Security-Policy allows its own script by hash and no other.
    """
    requests: dict[str, list[Card]] = {}
    for card in cards:
        requests.setdefault(card.request_id, []).append(card)

    environment = Environment(
        loader=PackageLoader("jobs"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": _data_uri, "sha256": _sha256, "stills": stills}
    return environment.get_template("gallery.html.j2").render(
        requests=[sorted(group, key=lambda card: card.rank) for group in requests.values()],
        kinds=sorted({card.kind for card in cards}),
        count=len(cards),
        title=title,
        note=note,
    )


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
