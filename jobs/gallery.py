"""The gallery: one self-contained HTML page that shows each picture in each of its views."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

SEEN = {
    "identity": "as it stands",
    "flip": "flipped top to bottom",
    "mirror": "in the mirror",
    "rotate_90": "turned a quarter left",
    "rotate_180": "upside down",
    "rotate_270": "turned a quarter right",
    "negate": "in negative",
    "low_pass": "from afar",
    "high_pass": "up close",
}
"""What one does to see a view, in words; a view that is not here is shown plain, by its name."""


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of the gallery.

    Attributes:
        prompts: What is seen, one for each of `views`.
        views: Names of views, with their sigma if they have one.
        picture: PNG file, the final picture or that of the last stage it reached.
        original: PNG file of what an inpainting or edit started from; its transparent pixels are
            the hole.
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
    seed: int
    picture: bytes
    stage: int
    original: bytes | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.views):
            raise ValueError(
                f"request {self.request_id} has {len(self.prompts)} prompts and "
                f"{len(self.views)} views; a card needs one view for each prompt"
            )


@dataclass(frozen=True, slots=True)
class Still:
    """A card's picture in one view; `at` is where it puts the card's slider, 0 to 100."""

    text: str
    seen: str
    view: str
    sigma: float = 0.0
    at: int = 0
    is_original: bool = False


def stills(card: Card) -> Iterator[Still]:
    """Yield what a card shows: where it started from, if it did, then each of its views."""
    if card.original is not None:
        yield Still("the original", "before", "identity", at=100, is_original=True)
    for prompt, name in zip(card.prompts, card.views, strict=True):
        view, _, parameter = name.partition(":")
        seen = "after" if card.original and name == "identity" else SEEN.get(view, name)
        if view == "low_pass":
            yield Still(prompt, seen, view, sigma=float(parameter), at=100)
        else:
            yield Still(prompt, seen, view)


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
