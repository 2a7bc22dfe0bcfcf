"""One request from the command line, drawn at once: no manifest needed."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fundiff.view_names import complement
from jobs.launching import Launch, launch
from jobs.reading import SourceError, check_keep, check_views
from jobs.submitting import Watch
from manifests.check import check_rows
from manifests.csv_rows import read_cell
from manifests.manifest import write_manifest
from manifests.records import Request
from manifests.rows import RawRow


def cells_of(columns: Mapping[str, Any], settings: Sequence[str]) -> dict[str, str]:
    """Return the cells of a manifest's row from options and from `COLUMN=VALUE` words.

    Raises:
        SourceError: If a word has no `=`, or names a column that is set already.
    """
    cells = {name: str(value) for name, value in columns.items() if value is not None}
    for word in settings:
        name, equals, value = word.partition("=")
        if not equals or name in cells:
            known = "has an option of its own or is set twice" if equals else "is no COLUMN=VALUE"
            raise SourceError(f"--set {word!r} {known}; write it as in --set guidance_scale=10")
        cells[name] = value
    return cells


def launch_request(
    request: Request, asked: Launch, watch: Watch, say: Callable[[str], object]
) -> list[str]:
    """Draw one request as a run; the arguments are those of `jobs.launching.launch`."""
    with tempfile.TemporaryDirectory() as aside:
        manifest = Path(aside) / "try.parquet"
        write_manifest([request], manifest)
        return launch(replace(asked, manifest=manifest), watch, say)


def request_of(
    prompts: Sequence[str], views: Sequence[str], settings: Mapping[str, str]
) -> Request:
    """Return the request that a command line asks for, checked as a manifest's row is.

    Args:
        prompts: At least one.
        views: One per prompt, or one less: then the picture as it stands, or the rest of what a
            component leaves, is the missing one. None are the kind's own.
        settings: Columns of a manifest and their cells.

    Raises:
        SourceError: With everything that is wrong.
    """
    cells: dict[str, Any] = {name: read_cell(name, cell) for name, cell in settings.items()}
    fields = {"prompts": list(prompts), **cells}
    if views and "views" in cells:
        raise SourceError("views are given twice, by --view and by --set; leave one of them out")
    if views:
        fields["views"] = _completed(list(views), len(prompts))
    fields.setdefault("kind", _kind(fields, len(prompts)))
    requests, problems = check_rows(
        [RawRow(1, fields)],
        base=Path.cwd(),
        check_views=check_views,
        check_keep=check_keep,
        complement=complement,
        allow_outside=True,
    )
    if errors := [problem for problem in problems if problem.severity == "error"]:
        said = [f"{p.message}" + (f" (got {p.value!r})" if p.value else "") for p in errors]
        raise SourceError(
            "; ".join(f"{words}; {p.remedy}" for words, p in zip(said, errors, strict=True))
        )
    return requests[0]


def _completed(views: list[str], prompts: int) -> list[str]:
    """Return the views with the one that goes without saying."""
    if len(views) != prompts - 1:
        return views
    rest = complement(views[-1])
    return [*views, rest] if rest else ["identity", *views]


def _kind(fields: Mapping[str, Any], prompts: int) -> str:
    """Return the kind that fits what was given."""
    if fields.get("mask"):
        return "inpaint"
    if fields.get("keep"):
        return "inverse"
    if fields.get("image"):
        return "edit"
    if prompts < 2:
        return "generate"
    views = fields.get("views")
    return "hybrid" if views and check_views("hybrid", views) is None else "anagram"
