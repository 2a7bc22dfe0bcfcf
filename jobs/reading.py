"""Reads requests from a source or a manifest, and says whether their views fit their kind."""

from collections.abc import Sequence
from pathlib import Path

from fundiff.views import view
from manifests.check import Problem, check_rows
from manifests.manifest import read_manifest
from manifests.records import Request
from manifests.sources import expand_styles, read_source


def read_requests_from(
    source: Path, styles: Sequence[str] = (), allow_outside: bool = False
) -> tuple[list[Request], list[Problem]]:
    """Return the requests of a CSV, JSONL, YAML or Parquet file, and all that is wrong with it.

    Raises:
        ValueError: If a Parquet file is no manifest of this version.
    """
    if source.suffix == ".parquet":
        return read_manifest(source), []
    return check_rows(
        expand_styles(read_source(source), styles),
        base=source.parent,
        check_views=check_views,
        allow_outside=allow_outside,
    )


def check_views(kind: str, names: tuple[str, ...]) -> str | None:
    """Return what is wrong with the views of a request, or None."""
    try:
        views = [view(name) for name in names]
    except ValueError as error:
        return str(error)
    written = "|".join(names)
    components = [v.name for v in views if not v.is_orthogonal]
    if kind == "hybrid":
        sigmas = [name.partition(":")[::2] for name in names]
        if sorted(base for base, _ in sigmas) != ["high_pass", "low_pass"]:
            return f"views {written} do not add up to the whole; take low_pass:2|high_pass:2"
        if len({float(sigma) for _, sigma in sigmas}) > 1:
            return f"views {written} do not add up to the whole; give both the same sigma"
    elif components:
        return f"view {components[0]!r} is one component of a picture; it belongs to kind hybrid"
    if kind == "inpaint" and names != ("identity",):
        return f"views {written} do not fit an inpainting; leave views out"
    return None
