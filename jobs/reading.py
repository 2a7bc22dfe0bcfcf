"""Reads requests from a source or a manifest, and says whether their views fit their kind."""

from collections.abc import Sequence
from pathlib import Path

from fundiff.views import view
from manifests.check import Problem, check_rows
from manifests.manifest import read_manifest
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
        allow_outside=allow_outside,
    )


def _read_parquet(path: Path, styles: Sequence[str]) -> tuple[list[Request], list[Problem]]:
    """Return a manifest's requests; others may have written it, so it is checked like a source."""
    if styles:
        return [], [Problem(0, "style", styles[0], "a manifest has its styles", "give its source")]
    try:
        requests = read_manifest(path)
    except (ValueError, OSError) as error:
        return [], [Problem(0, "", "", str(error), "give a manifest or a source")]
    problems: list[Problem] = []
    seen: set[str] = set()

    def refuse(row: int, column: str, value: str, words: str) -> None:
        problems.append(Problem(row, column, value, words, "build it again"))

    for row, request in enumerate(requests, start=1):
        if request.request_id != content_id(request):
            refuse(row, "request_id", request.request_id, "it does not follow from the content")
        if request.request_id in seen:
            refuse(row, "request_id", request.request_id, "the same request stands above")
        seen.add(request.request_id)
        if said := check_views(request.kind, request.views):
            refuse(row, "views", "|".join(request.views), said)
    if not requests:
        refuse(0, "", "", "the manifest holds no requests")
    return requests, problems


def check_views(kind: str, names: tuple[str, ...]) -> str | None:
    """Return what is wrong with the views of a request, or None."""
    try:
        views = [view(name) for name in names]
    except ValueError as error:
        return str(error)
    written = "|".join(names)
    components = [v.name for v in views if not v.is_orthogonal]
    if kind == "hybrid":
        if len(names) != 2:
            return f"a hybrid has {len(names)} views; it takes two that add up to the whole"
        sigmas = [name.partition(":")[::2] for name in names]
        if sorted(base for base, _ in sigmas) != ["high_pass", "low_pass"]:
            return f"views {written} do not add up to the whole; take low_pass:2|high_pass:2"
        if len({sigma for _, sigma in sigmas}) > 1:
            return f"views {written} do not add up to the whole; give both the same sigma"
    elif components:
        return f"view {components[0]!r} is one component of a picture; it belongs to kind hybrid"
    if kind == "inpaint" and names != ("identity",):
        return f"views {written} do not fit an inpainting; leave views out"
    return None
