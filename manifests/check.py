"""Checks rows of a manifest's source: every problem of every row at once, and the requests."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifests.columns import COLUMNS, RANGES, RowReader
from manifests.images import Pictures, picture_size
from manifests.kinds import KINDS, OWN_COLUMNS, kinds_with
from manifests.records import (
    LIMITS,
    REDUCTIONS,
    SAMPLERS,
    Picture,
    Request,
    count_timesteps,
    make_request,
)
from manifests.rows import Problem, RawRow, did_you_mean, shorten

__all__ = ["MAX_TOKENS", "Problem", "check_rows", "estimate_tokens"]

MAX_TOKENS = 77
DEFAULT_STRENGTH = 0.7

CheckViews = Callable[[str, tuple[str, ...], str], str | None]
"""`check_views(kind, views, keep)` says what is wrong with the views of a kind, or None."""


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a prompt has.

    Its words and punctuation, times 1.3; or, for scripts without spaces, its bytes by 6.
    """
    words = len(re.findall(r"\w+|[^\w\s]", text))
    return math.ceil(max(1.3 * words, len(text.encode(errors="replace")) / 6))


@dataclass(frozen=True, slots=True)
class ViewRules:
    """What is known of views where tables are not; see `check_rows`."""

    check_views: CheckViews
    check_keep: Callable[[str], str | None]
    complement: Callable[[str], str | None]


def check_rows(
    rows: Sequence[RawRow],
    *,
    base: Path,
    check_views: CheckViews,
    check_keep: Callable[[str], str | None] = lambda _: None,
    complement: Callable[[str], str | None] = lambda _: None,
    allow_outside: bool = False,
    count_tokens: Callable[[str], int] = estimate_tokens,
) -> tuple[list[Request], list[Problem]]:
    """Return the requests of all rows without errors, and all problems of all rows.

    Args:
        rows: What `read_source` returned; problems it met come out among the others.
        base: The folder that image and mask paths are relative to.
        check_views: What knows the views.
        check_keep: Says what is wrong with a component that is to be kept, or None.
        complement: Gives the view that adds up to the whole with a component, or None.
        allow_outside: Whether pictures outside `base` may be read.
        count_tokens: Number of tokens of a prompt; by default an estimate from its words.
    """
    requests: list[Request] = []
    problems: list[Problem] = []
    first_lines: dict[str, int] = {}
    pictures = Pictures(base, allow_outside)
    rules = ViewRules(check_views, check_keep, complement)
    for row in rows:
        reader = RowReader(row.line, row.fields, list(row.problems))
        request = None
        if row.fields or not row.problems:
            request = _read_row(reader, rules, pictures, count_tokens)
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
    rules: ViewRules,
    pictures: Pictures,
    count_tokens: Callable[[str], int],
) -> Request | None:
    _refuse_unknown_columns(row)
    kind = _read_kind(row)
    prompts = _read_prompts(row, kind)
    keep = _read_keep(row, kind, rules)
    views = _read_views(row, kind, prompts, keep, rules)
    _refuse_columns_of_other_kinds(row, kind)
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
        "keep": keep,
        "timesteps": _read_timesteps(row, "timesteps"),
        "stage_2_timesteps": _read_timesteps(row, "stage_2_timesteps"),
        "sampler": row.choice("sampler", "ddpm", SAMPLERS),
        "reduction": _read_reduction(row, kind),
        "stages": row.number("stages", 1 if kind == "denoise" else 2, *LIMITS["stages"]),
        **_read_candidates(row),
        **{column: row.number(column, *bounds) for column, bounds in RANGES.items()},
        **_read_start(row, kind),
        **_read_pictures(row, kind, pictures),
    }
    if row.has_errors():
        return None
    try:
        return make_request(**fields)
    except ValueError as error:
        column = str(error).partition(" ")[0]
        if column in fields:
            row.error(column, row.fields.get(column), *_message_and_remedy(error))
        else:
            row.error("", "", *_message_and_remedy(error))
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
    if kind is not None:
        least, most = KINDS[kind].prompts
        if not least <= len(prompts) <= most:
            shown, takes = " | ".join(prompts), KINDS[kind].describe_prompts()
            message = f"{kind} takes {takes}, not {len(prompts)}"
            row.error("prompts", shown, message, f"write {takes}, with | between them in CSV")
            return None
    return prompts


def _read_keep(row: RowReader, kind: str | None, rules: ViewRules) -> str | None:
    """Return the component that is kept; empty where none is, None where it is wrong."""
    keep = row.text("keep")
    if keep and kind == "inverse" and (fault := rules.check_keep(keep)):
        row.error("keep", keep, *_message_and_remedy(ValueError(fault)))
        return None
    return keep


def _read_views(
    row: RowReader,
    kind: str | None,
    prompts: tuple[str, ...] | None,
    keep: str | None,
    rules: ViewRules,
) -> tuple[str, ...] | None:
    views = row.texts("views")
    if views is None or kind is None or keep is None:
        return None
    if not views:
        if prompts is None:
            return None
        views = KINDS[kind].default_views(len(prompts))
        if kind == "inverse" and len(prompts) == 1 and (rest := rules.complement(keep)):
            views = (rest,)
        if not views and kind == "inverse" and not keep:  # which is named already
            return None
        if not views:
            message = f"{kind} of {len(prompts)} prompts has no default views"
            row.error("views", "", message, "write one for each prompt; `fundiff views` lists all")
            return None
    shown = " | ".join(views)
    if prompts is not None and len(views) != len(prompts):
        message = f"{len(views)} views for {len(prompts)} prompts"
        row.error("views", shown, message, "write one view for each prompt")
    elif fault := rules.check_views(kind, views, keep if kind == "inverse" else ""):
        row.error("views", shown, fault, "change the views")
    return views


def _refuse_columns_of_other_kinds(row: RowReader, kind: str | None) -> None:
    """Name what is given and not taken, or needed and not given."""
    if kind is None:
        return
    for column in OWN_COLUMNS - KINDS[kind].own:
        if row.given(column):
            message = f"{kind} takes no {column}"
            row.error(
                column, row.fields[column], message, f"remove it, or use {kinds_with(column)}"
            )
    for column in KINDS[kind].needs:
        if not row.given(column):
            remedy = (
                "name a component, such as low_pass:2 or grayscale"
                if column == "keep"
                else "write the path of a picture file"
            )
            row.error(column, "", f"{kind} needs {column}", remedy)


def _read_start(row: RowReader, kind: str | None) -> dict[str, Any]:
    """Return where an edit starts, half-way unless it is said; nothing for other kinds."""
    if kind is None or "start" not in KINDS[kind].own:
        return {}
    if row.given("start") and row.given("strength"):
        remedy = "remove one of them"
        row.error("start", row.fields["start"], "start and strength say the same", remedy)
    if row.given("start") or row.given("strength"):
        return {}
    return {"strength": DEFAULT_STRENGTH}


def _read_timesteps(row: RowReader, column: str) -> str | None:
    """Return the name of a list of timesteps; empty where it is not given."""
    name = row.text(column)
    even = column.replace("timesteps", "num_inference_steps")
    if name and row.given(even):
        row.warn(even, row.fields[even], f"{column} decides, so {even} is not used", "remove it")
    if name:
        try:
            count_timesteps(name, 1)
        except ValueError as error:
            row.error(column, name, *_message_and_remedy(error))
            return None
    return name


def _read_reduction(row: RowReader, kind: str | None) -> str | None:
    default = "sum" if kind == "hybrid" else "mean"
    reduction = row.choice("reduction", default, REDUCTIONS)
    if kind == "hybrid" and reduction not in (None, "sum"):
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
    if not paths["image"] or "image" not in KINDS[kind].own:
        return nothing
    image = pictures.image(paths["image"])
    if isinstance(image, ValueError):
        row.error("image", paths["image"], *_message_and_remedy(image))
        return nothing
    if not paths["mask"] or "mask" not in KINDS[kind].own:
        return {"image": image, "mask": None}
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
