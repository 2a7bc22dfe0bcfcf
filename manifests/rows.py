"""A row of a source as it was read, and what may be wrong with it."""

import difflib
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a source, where it stands and what to do; an error or a warning."""

    line: int
    column: str
    value: str
    message: str
    remedy: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it was read: its first line, its fields by column, and what was wrong so far.

    A problem of the whole file is a row without fields. `check_rows` hands all problems on.
    """

    line: int
    fields: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def bad_row(line: int, column: str, value: object, message: str, remedy: str) -> RawRow:
    """Return a row without fields that carries one error."""
    return RawRow(line, {}, (Problem(line, column, shorten(value), message, remedy),))


def shorten(value: object, width: int = 60) -> str:
    """Return a value as one printable line of at most `width` characters."""
    if isinstance(value, str):
        text = value[: width + 1]
    else:
        short = reprlib.Repr()
        short.maxlevel, short.maxstring, short.maxother = 3, width, width
        try:
            text = short.repr(value)
        except ValueError:  # an int of more digits than Python writes
            text = f"a very large {type(value).__name__}"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return a remedy: the choice most like `name`, or all of them."""
    known = list(choices)
    close = difflib.get_close_matches(shorten(name).lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known)}"
