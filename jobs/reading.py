"""Reads requests from a source or a manifest, and says whether their views fit their kind."""

from collections.abc import Sequence
from pathlib import Path

from fundiff.view_names import COMPONENTS, bases, complement, view
from fundiff.views import DECOMPOSITIONS, by_frame
from manifests.check import Problem, check_rows
from manifests.manifest import read_manifest_rows
from manifests.records import Request, content_id
from manifests.sources import expand_styles, read_source


class SourceError(ValueError):
    """A source or manifest with bad rows: the user's to mend."""


def read_requests_from(
    source: Path, styles: Sequence[str] = (), allow_outside: bool = False
) -> tuple[list[Request], list[Problem]]:
    """Return the requests of a CSV, JSONL, YAML or Parquet file, and all that is wrong with it.

    Args:
        source: The file.
        styles: Every row is repeated in each of them; not for Parquet.
        allow_outside: Whether images may lie outside the source's folder.
    """
    if source.suffix == ".parquet":
        return _read_parquet(source, styles)
    return check_rows(
        expand_styles(read_source(source), styles),
        base=source.parent,
        check_views=check_views,
        check_keep=check_keep,
        complement=complement,
        allow_outside=allow_outside,
    )


def _read_parquet(path: Path, styles: Sequence[str]) -> tuple[list[Request], list[Problem]]:
    """Return a manifest's requests; others may have written it, so it is checked like a source."""
    if styles:
        return [], [Problem(0, "style", styles[0], "a manifest has its styles", "give its source")]
    requests: list[Request] = []
    problems: list[Problem] = []
    seen: set[str] = set()

    def refuse(row: int, column: str, value: str, words: str) -> None:
        problems.append(Problem(row, column, value, words, "build it again"))

    try:
        rows = list(read_manifest_rows(path))
    except (ValueError, OSError) as error:
        return [], [Problem(0, "", "", str(error), "give a manifest or a source")]
    for row, request in enumerate(rows, start=1):
        if isinstance(request, ValueError):
            refuse(row, "", "", str(request))
            continue
        requests.append(request)
        if request.request_id != content_id(request):
            refuse(row, "request_id", request.request_id, "it does not follow from the content")
        if request.request_id in seen:
            refuse(row, "request_id", request.request_id, "the same request stands above")
        seen.add(request.request_id)
        if request.keep and (said := check_keep(request.keep)):
            refuse(row, "keep", request.keep, said)
        elif said := check_views(request.kind, request.views, request.keep):
            refuse(row, "views", "|".join(request.views), said)
    if not rows:
        refuse(0, "", "", "the manifest holds no requests")
    return requests, problems


def check_keep(keep: str) -> str | None:
    """Return what is wrong with the component that an inverse problem keeps, or None."""
    kept = ", ".join(sort.example for name, sort in COMPONENTS.items() if name != "scale")
    try:
        kept_view = view(keep)
    except ValueError as error:
        words, _, _ = str(error).partition("; choose from")
        return f"{words}; choose from {kept}" if "unknown" in words else str(error)
    if kept_view.frames or "scale" in bases(keep):
        return f"keep {keep!r} is no component of a picture that can be kept; choose from {kept}"
    return None


def check_views(kind: str, names: Sequence[str], keep: str = "") -> str | None:
    """Return what is wrong with the views of a request, or None.

    Args:
        kind: Of the request.
        names: Its views.
        keep: The component that an inverse problem keeps of its image.
    """
    try:
        views = [view(name) for name in names]
        frames = by_frame([view(keep), *views] if keep else views)
    except ValueError as error:
        return str(error)
    written = "|".join(names)
    if not any(each.is_wanted for each in views):
        return f"views {written} only steer away from prompts; give one that is wanted"
    if keep and any(each.frames for each in views):
        return f"views {written} turn the picture; an inverse problem takes components of it"
    match kind:
        case "generate" | "denoise" if tuple(names) != ("identity",):
            return f"views {written} do not fit kind {kind}; leave views out"
        case "hybrid" | "inverse" if len(frames) > 1 or len(views) + bool(keep) < 2:
            kept = f" and {keep}, which is kept," if keep else ""
            return (
                f"views {written}{kept} are not the components of one whole picture; "
                f"choose from {', '.join(DECOMPOSITIONS)}"
            )
        case "anagram" if len(frames) == 1:
            return f"views {written} are the components of one picture; they belong to kind hybrid"
    return None
