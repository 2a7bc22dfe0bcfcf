"""Writes the report: one HTML page with nothing outside of it."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jobs.config import RunConfig
from jobs.origin import origin_of
from jobs.pictures import best_pictures, image_of
from jobs.rendering import sha256, template
from jobs.report import figures, tables
from jobs.report.svg import COLOURS
from manifests.files import read_json, write_bytes
from manifests.layout import RunFolder
from manifests.manifest import count_requests
from manifests.plan import read_plan
from manifests.records import STATUSES

Row = Mapping[str, Any]

BEST = 10
"""Pictures on the page, each the best of its request."""

AGREEMENT = {
    "held_out": (
        "The judge that only reports",
        "its score",
        "score of the judge that selects",
    ),
    "stage_1": ("Stage I foretells stage II", "score after stage I", "score after stage II"),
    "glimpse": ("Half-way foretells the end", "score half-way", "score of the last stage"),
}
"""Title and axes of what is held against what; see `jobs.report.tables.PAIRS`."""


def write_report(folder: RunFolder, output: Path) -> int:
    """Write the report on a run as one HTML page; return the candidates that it is about.

    The same run gives the same bytes.

    Args:
        folder: A run with an index.
        output: The HTML file.

    Raises:
        ValueError: If there is no index yet.
    """
    facts = facts_of(folder)
    done = sum(1 for _ in folder.markers.glob("shard-*.json"))
    page = template("report.html.j2", sha256=sha256).render(
        facts,
        origin=origin_of(folder),
        requests=count_requests(folder.manifest),
        shards={"done": done, "planned": len(read_plan(folder.plan))},
        best=list(_best(folder)) if facts["kinds"] else [],
        statuses=STATUSES,
        colours=COLOURS,
    )
    write_bytes(output, page.encode())
    return int(facts["total"]["candidates"])


def facts_of(folder: RunFolder) -> dict[str, Any]:
    """Return all that the page shows of a run but its pictures: tables, and figures as SVG."""
    config = RunConfig.from_json(read_json(folder.run_json))
    with tables.candidates_of(folder, sorted(config.bars)) as connection:
        kinds = tables.kinds(connection)
        curves = tables.best_of(connection)
        views = tables.views(connection)
        return {
            "kinds": kinds,
            "total": _total(kinds),
            "figures": dict(_figures(connection, kinds, curves, views)),
            "curves": _ends(curves),
            "views": views,
            "agreement": list(_agreement(connection)),
            "causes": tables.causes(connection),
            "failures": tables.failures(connection, folder),
        }


def _total(kinds: Sequence[Row]) -> dict[str, int]:
    """Return the sums of the kinds' counts."""
    names = [name for name in kinds[0] if name != "kind"] if kinds else ["candidates"]
    return {name: sum(row[name] for row in kinds) for name in names}


def _figures(
    connection: Any, kinds: Sequence[Row], curves: Sequence[Row], views: Sequence[Row]
) -> Iterator[tuple[str, Markup]]:
    """Yield the figures that there is something to show in, by name."""
    edges, bins = tables.histograms(connection)
    if bins:
        yield "histograms", Markup(figures.histograms(edges, bins))
    if views:
        yield "views", Markup(figures.view_quantiles(views))
    if any(row["n"] > 1 for row in curves):
        yield "best_of", Markup(figures.best_of_n(curves))
    if shares := tables.accepted(connection):
        yield "accepted", Markup(figures.accepted_share(shares))
    if kinds:
        yield "funnel", Markup(figures.funnel(kinds))
    if any(row["stage_1_lanes"] for row in kinds):
        yield "lanes", Markup(figures.lanes(kinds))


def _ends(curves: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one row per curve: its last, with the mean score of a single candidate."""
    ones = {(row["kind"], row["stage"]): row["best"] for row in curves if row["n"] == 1}
    last = {(row["kind"], row["stage"]): row for row in curves}
    return [dict(row) | {"one": ones[key]} for key, row in last.items()]


def _agreement(connection: Any) -> Iterator[dict[str, Any]]:
    for pair, (title, x, y) in AGREEMENT.items():
        if (found := tables.agreement(connection, pair)) is not None:
            figure = figures.scatter(title, x, y, found["points"])
            yield found | {"title": title, "figure": Markup(figure)}


def _best(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield the best requests' best candidates, with their pictures as data URIs."""
    for row, png in islice(best_pictures(folder, 1), BEST):
        width, height = image_of(png).size
        seen = list(zip(row["prompts"], row["views"], strict=True))
        data = base64.b64encode(png).decode()
        yield dict(row) | {
            "seen": seen,
            "uri": f"data:image/png;base64,{data}",
            "width": width,
            "height": height,
        }
