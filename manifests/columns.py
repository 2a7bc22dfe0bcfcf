"""The columns of a source, and their typed values out of a row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manifests.records import LIMITS, has_control
from manifests.rows import Problem, did_you_mean, shorten

COLUMNS = (
    "kind", "prompts", "views", "style", "negative_prompt", "image", "mask", "keep", "candidates",
    "want", "finalists", "accept", "accept_rank", "prune_at", "prune_keep", "max_split",
    "max_candidates", "guidance_scale", "num_inference_steps",
    "stage_2_guidance_scale", "stage_2_num_inference_steps", "noise_level", "timesteps",
    "stage_2_timesteps", "guidance_start", "guidance_stop", "sampler", "reduction", "start",
    "strength", "mask_blur", "jump_length", "jump_n_sample", "stages", "seed", "tags",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "guidance_scale": 7.0,
    "num_inference_steps": 30,
    "stage_2_guidance_scale": 4.0,
    "stage_2_num_inference_steps": 30,
    "noise_level": 50,
    "guidance_start": 0.0,
    "guidance_stop": 1.0,
    "start": None,
    "strength": None,
    "mask_blur": 0.0,
    "jump_length": 0,
    "jump_n_sample": 1,
    "finalists": None,
    "accept": None,
    "accept_rank": None,
    "prune_at": None,
    "prune_keep": None,
    "max_split": None,
    "seed": None,
}
# Default, least and greatest value; a range of ints takes whole numbers only.
RANGES: dict[str, tuple[Any, float, float]] = {
    name: (default, *LIMITS[name]) for name, default in DEFAULTS.items()
}
NUMBER_COLUMNS = ("candidates", "want", "max_candidates", "stages", *RANGES)
LIST_COLUMNS = ("prompts", "views", "tags")


def split_cell(cell: str) -> list[str]:
    """Return the parts of a cell that `|` separates."""
    return [part.strip() for part in cell.split("|")]


@dataclass(slots=True)
class RowReader:
    """Takes typed values out of a row's fields and notes what is wrong with them."""

    line: int
    fields: dict[str, Any]
    problems: list[Problem]

    def error(self, column: str, value: object, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.line, column, shorten(value), message, remedy))

    def warn(self, column: str, value: object, message: str, remedy: str) -> None:
        self.problems.append(
            Problem(self.line, column, shorten(value), message, remedy, "warning")
        )

    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def given(self, column: str) -> bool:
        return self.fields.get(column) is not None

    def text(self, column: str) -> str | None:
        """Return a string, empty where the column is not given, None where it is wrong."""
        value = self.fields.get(column)
        if value is None:
            return ""
        return self._string(column, value, "write text")

    def choice(self, column: str, default: str, choices: Sequence[str]) -> str | None:
        """Return one of the choices, the default where it is not given, None where wrong."""
        value = self.text(column)
        if value and value not in choices:
            message = f"{column} {shorten(value)!r} is unknown"
            self.error(column, value, message, did_you_mean(value, choices))
            return None
        return default if value == "" else value

    def texts(self, column: str) -> tuple[str, ...] | None:
        """Return strings from a list or a `|` cell; () where not given, None where wrong."""
        value = self.fields.get(column)
        if value is None:
            return ()
        if isinstance(value, str):
            value = split_cell(value)
        if not isinstance(value, list | tuple):
            self.error(column, value, f"{column} must be a list of texts", "write ['...', '...']")
            return None
        found = [self._string(column, part, "put quotes around it") for part in value]
        strings = tuple(part for part in found if part is not None)
        if len(strings) < len(found):
            return None
        if "" in strings:
            index = strings.index("") + 1
            self.error(
                column,
                " | ".join(strings),
                f"entry {index} of {column} is empty",
                "write or remove it",
            )
            return None
        return strings

    def number(self, column: str, default: Any, low: float, high: float) -> Any:
        """Return a number within low..high, of low's type; the default if not given or wrong."""
        value = self.fields.get(column)
        if value is None:
            return default
        kind = "whole number" if isinstance(low, int) else "number"
        remedy = f"write a {kind} from {low} to {high}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.error(
                column, value, f"{column} must be a {kind}, not {type(value).__name__}", remedy
            )
            return default
        if isinstance(value, float) and not math.isfinite(value):
            self.error(column, value, f"{column} must be a finite number", remedy)
            return default
        if not low <= value <= high:
            self.error(column, value, f"{column} is outside {low} to {high}", remedy)
            return default
        if isinstance(low, float):
            return float(value)
        # pandas writes whole numbers as 16.0 when a column has gaps; past 2**53 they are inexact.
        if isinstance(value, float) and (not value.is_integer() or abs(value) > 2**53):
            self.error(column, value, f"{column} must be a whole number", remedy)
            return default
        return int(value)

    def _string(self, column: str, value: object, remedy: str) -> str | None:
        if not isinstance(value, str):
            got = type(value).__name__
            self.error(column, value, f"{column} must be text, not {got}", remedy)
            return None
        try:
            value.encode()
        except UnicodeEncodeError:
            self.error(column, value, f"{column} holds half a character", "type it again")
            return None
        if has_control(value):
            self.error(column, value, f"{column} holds a control character", "remove it")
            return None
        return value.strip()
