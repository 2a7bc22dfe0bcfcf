"""Checks rows of a manifest's source: every problem of every row at once, and the requests."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from manifests.columns import COLUMNS, RANGES, RowReader
from manifests.images import Pictures, picture_size
from manifests.records import KINDS, LIMITS, REDUCTIONS, Picture, Request, make_request
from manifests.rows import Problem, RawRow, did_you_mean, shorten

__all__ = ["MAX_TOKENS", "Problem", "check_rows", "default_views", "estimate_tokens"]

MAX_TOKENS = 77


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a prompt has.

    Its words and punctuation, times 1.3; or, for scripts without spaces, its bytes by 6.
    """
    words = len(re.findall(r"\w+|[^\w\s]", text))
    return math.ceil(max(1.3 * words, len(text.encode(errors="replace")) / 6))


def check_rows(
    rows: Sequence[RawRow],
    *,
    base: Path,
    check_views: Callable[[str, tuple[str, ...]], str | None],
    allow_outside: bool = False,
    count_tokens: Callable[[str], int] = estimate_tokens,
) -> tuple[list[Request], list[Problem]]:
    """Return the requests of all rows without errors, and all problems of all rows.

    Args:
        rows: What `read_source` returned; problems it met come out among the others.
        base: The folder that image and mask paths are relative to.
        check_views: Says what is wrong with the views of a kind, or None.
        allow_outside: Whether pictures outside `base` may be read.
        count_tokens: Number of tokens of a prompt; by default an estimate from its words.
    """
    requests: list[Request] = []
    problems: list[Problem] = []
    first_lines: dict[str, int] = {}
    pictures = Pictures(base, allow_outside)
    for row in rows:
        reader = RowReader(row.line, row.fields, list(row.problems))
        request = None
        if row.fields or not row.problems:
            request = _read_row(reader, check_views, pictures, count_tokens)
        if request is not None and request.request_id in first_lines:
            reader.error(
                "",
                request.prompts,
                f"this row repeats line {first_lines[request.request_id]}",
                "remove one of them, or give them different seeds",
            )
        problems += reader.problems
        if request is not None and not reader.has_errors():
            first_lines[request.request_id] = row.line
            requests.append(request)
    # A row expanded over several styles meets the same problem several times.
    return requests, list(dict.fromkeys(problems))


def _read_row(
    row: RowReader,
    check_views: Callable[[str, tuple[str, ...]], str | None],
    pictures: Pictures,
    count_tokens: Callable[[str], int],
) -> Request | None:
    _refuse_unknown_columns(row)
    kind = _read_kind(row)
    prompts = _read_prompts(row, kind)
    views = _read_views(row, kind, prompts, check_views)
    style, negative_prompt = row.text("style"), row.text("negative_prompt")
    tags = row.texts("tags")
    _warn_of_long_prompts(row, style or "", prompts or (), negative_prompt or "", count_tokens)
    fields = {
        "kind": kind,
        "prompts": prompts,
        "views": views,
        "style": style,
        "negative_prompt": negative_prompt,
        "tags": tags,
        "reduction": _read_reduction(row, kind),
        **_read_candidates(row),
        **{column: row.number(column, *bounds) for column, bounds in RANGES.items()},
        **_read_pictures(row, kind, pictures),
    }
    if row.has_errors():
        return None
    try:
        return make_request(**fields)
    except ValueError as error:
        row.error("", prompts, str(error), "change the row")
        return None


def _refuse_unknown_columns(row: RowReader) -> None:
    for column in row.fields:
        if column not in COLUMNS:
            name = shorten(column)
            row.error(name, column, f"column {name!r} is unknown", did_you_mean(name, COLUMNS))


def _read_kind(row: RowReader) -> str | None:
    kind = row.text("kind")
    if kind == "":
        row.error("kind", "", "kind is missing", f"choose from {', '.join(KINDS)}")
        return None
    if kind is not None and kind not in KINDS:
        row.error("kind", kind, f"kind {shorten(kind)!r} is unknown", did_you_mean(kind, KINDS))
        return None
    return kind


def _read_prompts(row: RowReader, kind: str | None) -> tuple[str, ...] | None:
    prompts = row.texts("prompts")
    if prompts is None:
        return None
    if not prompts:
        row.error("prompts", "", "prompts are missing", "write them, with | between them in CSV")
        return None
    shown = " | ".join(prompts)
    if kind == "inpaint" and len(prompts) != 1:
        row.error("prompts", shown, f"inpaint takes 1 prompt, not {len(prompts)}", "write one")
        return None
    if kind in ("anagram", "hybrid") and len(prompts) < 2:
        row.error("prompts", shown, f"{kind} needs 2 or more prompts, not 1", "add one after a |")
        return None
    return prompts


def _read_views(
    row: RowReader,
    kind: str | None,
    prompts: tuple[str, ...] | None,
    check_views: Callable[[str, tuple[str, ...]], str | None],
) -> tuple[str, ...] | None:
    views = row.texts("views")
    if views is None or kind is None:
        return None
    if not views:
        if prompts is None:
            return None
        views = default_views(kind, len(prompts))
        if not views:
            row.error(
                "views", "", f"{kind} of {len(prompts)} prompts has no default views", "write them"
            )
            return None
    shown = " | ".join(views)
    if prompts is not None and len(views) != len(prompts):
        message = f"{len(views)} views for {len(prompts)} prompts"
        row.error("views", shown, message, "write one view for each prompt")
    if fault := check_views(kind, views):
        row.error("views", shown, fault, "change the views")
    return views


def default_views(kind: str, count: int) -> tuple[str, ...]:
    """Return the views of `count` prompts that name none; () where there is no default."""
    if kind == "inpaint":
        return ("identity",)
    if kind == "hybrid":
        return ("low_pass:2", "high_pass:2") if count == 2 else ()
    if count == 2:
        return ("identity", "flip")
    return ("identity", "rotate_90", "rotate_180", "rotate_270")[:count] if count <= 4 else ()


def _read_reduction(row: RowReader, kind: str | None) -> str | None:
    reduction = row.text("reduction")
    if reduction == "":
        return "sum" if kind == "hybrid" else "mean"
    if reduction is not None and reduction not in REDUCTIONS:
        message = f"reduction {shorten(reduction)!r} is unknown"
        row.error("reduction", reduction, message, did_you_mean(reduction, REDUCTIONS))
    elif kind == "hybrid" and reduction != "sum":
        message = "a hybrid's parts add up, so its reduction is sum"
        row.error("reduction", reduction, message, "write sum or leave it out")
    return reduction


def _read_candidates(row: RowReader) -> dict[str, int]:
    candidates = row.number("candidates", 16, *LIMITS["candidates"])
    maximum = row.number("max_candidates", candidates, *LIMITS["max_candidates"])
    want = row.number("want", min(4, candidates), *LIMITS["want"])
    if row.given("max_candidates") and maximum < candidates:
        message = f"max_candidates {maximum} is less than candidates {candidates}"
        row.error("max_candidates", maximum, message, f"write {candidates} or more")
    elif want > maximum:
        message = f"want {want} is more than the {maximum} candidates there will be"
        row.error("want", want, message, f"write {maximum} or less")
    return {"candidates": candidates, "max_candidates": maximum, "want": want}


def _read_pictures(
    row: RowReader, kind: str | None, pictures: Pictures
) -> dict[str, Picture | None]:
    nothing: dict[str, Picture | None] = {"image": None, "mask": None}
    paths = {column: row.text(column) for column in ("image", "mask")}
    if kind is None or None in paths.values():
        return nothing
    for column, path in paths.items():
        if kind == "inpaint" and not path:
            row.error(column, "", f"inpaint needs {column}", "write the path of a picture file")
        elif kind != "inpaint" and path:
            row.error(column, path, f"{kind} takes no {column}", "remove it, or use inpaint")
    if kind != "inpaint" or not paths["image"]:
        return nothing
    image = pictures.image(paths["image"])
    if isinstance(image, ValueError):
        row.error("image", paths["image"], *_message_and_remedy(image))
        return nothing
    if not paths["mask"]:
        return nothing
    mask = pictures.mask(paths["mask"], picture_size(image))
    if isinstance(mask, ValueError):
        row.error("mask", paths["mask"], *_message_and_remedy(mask))
        return nothing
    return {"image": image, "mask": mask}


def _message_and_remedy(error: ValueError) -> tuple[str, str]:
    """Return the two halves of a picture's error, which stand before and after its last `; `."""
    message, _, remedy = str(error).rpartition("; ")
    return message or remedy, remedy


def _warn_of_long_prompts(
    row: RowReader,
    style: str,
    prompts: tuple[str, ...],
    negative_prompt: str,
    count_tokens: Callable[[str], int],
) -> None:
    texts = [("prompts", f"{style} {prompt}".strip()) for prompt in prompts]
    for column, text in [*texts, ("negative_prompt", negative_prompt)]:
        if text and (tokens := count_tokens(text)) > MAX_TOKENS:
            message = f"about {tokens} tokens, of which the model reads the first {MAX_TOKENS}"
            row.warn(column, text, message, "write it shorter")
