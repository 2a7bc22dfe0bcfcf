"""The kinds of request: how many prompts each takes, and which columns are its own."""

from dataclasses import dataclass

ANY_NUMBER = 1_000


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of request is made of.

    Attributes:
        name: As it stands in a manifest.
        words: What it draws.
        prompts: Fewest and most prompts.
        needs: Columns that it cannot do without.
        takes: Columns that it takes besides those that every kind takes.
        views: Its default views by number of prompts.
    """

    name: str
    words: str
    prompts: tuple[int, int]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    views: tuple[tuple[str, ...], ...] = (("identity",),)

    @property
    def own(self) -> frozenset[str]:
        """The columns that it takes and others may not."""
        return frozenset((*self.needs, *self.takes))

    def default_views(self, count: int) -> tuple[str, ...]:
        """Return the views of `count` prompts that name none; () where there is no default."""
        return next((views for views in self.views if len(views) == count), ())

    def describe_prompts(self) -> str:
        """Return how many prompts it takes, in words."""
        least, most = self.prompts
        if least == most:
            return f"{least} prompt{'s' if least > 1 else ''}"
        return f"{least} or more prompts"


_TURNS = (
    ("identity",),
    ("identity", "flip"),
    ("identity", "rotate_90", "rotate_180"),
    ("identity", "rotate_90", "rotate_180", "rotate_270"),
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("generate", "a picture of one prompt", (1, 1)),
        Kind(
            "anagram",
            "a picture whose every view reads as its own prompt",
            (2, ANY_NUMBER),
            takes=("reduction",),
            views=_TURNS[1:],
        ),
        Kind(
            "hybrid",
            "a picture whose every component is decided by its own prompt",
            (2, ANY_NUMBER),
            takes=("reduction",),
            views=(
                ("low_pass:2", "high_pass:2"),
                ("triple_low", "triple_medium", "triple_high"),
            ),
        ),
        Kind(
            "inpaint",
            "what fits into the hole of a photograph",
            (1, ANY_NUMBER),
            needs=("image", "mask"),
            takes=("reduction", "mask_blur", "jump_length", "jump_n_sample"),
            views=_TURNS,
        ),
        Kind(
            "edit",
            "a variation of an image",
            (1, ANY_NUMBER),
            needs=("image",),
            takes=("reduction", "start", "strength"),
            views=_TURNS,
        ),
        Kind(
            "inverse",
            "a picture that shares one component with a photograph",
            (1, ANY_NUMBER),
            needs=("image", "keep"),
            views=(),
        ),
        Kind(
            "denoise",
            "four ways to take noise from an image, side by side",
            (1, 1),
            needs=("image",),
            takes=("start", "strength"),
        ),
    )
}
"""Every kind by name."""

OWN_COLUMNS = frozenset().union(*(kind.own for kind in KINDS.values()))
"""Columns that some kinds take and others may not."""


def kinds_with(column: str) -> str:
    """Return the kinds that take a column of their own, as a remedy lists them."""
    return " or ".join(kind.name for kind in KINDS.values() if column in kind.own)
