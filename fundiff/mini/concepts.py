"""What the embedded model can draw: concepts, in three styles, and the prompts for them."""

from dataclasses import dataclass

LETTERS = tuple(f"the letter {c}" for c in "abcdefghijklmnopqrstuvwxyz")
DIGITS = tuple(f"the digit {c}" for c in "0123456789")
SYMBOLS = (
    "a heart",
    "a star",
    "a skull",
    "an umbrella",
    "a sun",
    "a cloud",
    "a moon",
    "a spade",
    "a club",
    "a diamond",
    "an anchor",
    "an airplane",
    "a telephone",
    "a music note",
    "a horse",
    "a crown",
    "a smiley",
    "a snowflake",
    "a tree",
    "a cup",
    "a house",
    "a bell",
    "a fish",
    "a mushroom",
)
CONCEPTS = LETTERS + DIGITS + SYMBOLS

SHADOWS = (
    "a heart",
    "a star",
    "a moon",
    "a tree",
    "an umbrella",
    "an airplane",
    "a house",
    "a fish",
    "a mushroom",
    "a crown",
    "a horse",
    "a cup",
    "the letter x",
    "the letter t",
    "the letter l",
    "the letter o",
)
"""Concepts whose silhouettes stay apart when they are blurred."""

LINES = (
    "a star",
    "a heart",
    "a skull",
    "an umbrella",
    "an anchor",
    "a crown",
    "a smiley",
    "a snowflake",
    "a telephone",
    "a music note",
    "a horse",
    "an airplane",
    "a house",
    "a fish",
    "a cup",
    "a bell",
    "a sun",
    "a tree",
)

PHRASES = {
    "ink": ("{}", "a picture of {}", "{} in black ink", "an ink print of {}"),
    "shadow": ("a soft shadow of {}", "a shadow of {}", "the blurred shadow of {}"),
    "line": ("a line drawing of {}", "a thin line drawing of {}", "an outline of {}"),
}
"""How each style is asked for; the first phrase is the main one. Lower case, as IF has it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A concept in a style: one class of picture."""

    style: str
    concept: str

    @property
    def prompt(self) -> str:
        """The main prompt, as in "a soft shadow of a heart"."""
        return PHRASES[self.style][0].format(self.concept)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt that asks for this subject, the main one first."""
        return tuple(phrase.format(self.concept) for phrase in PHRASES[self.style])


SUBJECTS = (
    *(Subject("ink", concept) for concept in CONCEPTS),
    *(Subject("shadow", concept) for concept in SHADOWS),
    *(Subject("line", concept) for concept in LINES),
)


def prompts() -> tuple[str, ...]:
    """Return the main prompt of every subject, in the order of SUBJECTS."""
    return tuple(subject.prompt for subject in SUBJECTS)
