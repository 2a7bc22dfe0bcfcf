"""Commands that look at what was drawn: index, top, export, gallery, animate, views."""

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from jobs.cli.common import (
    best_option,
    command,
    filter_options,
    json_option,
    main,
    out,
    output_file,
    run_argument,
    say,
)
from manifests.layout import RunFolder


@command(main, "index", "fundiff index runs/night1")
@run_argument
def index(run: Path) -> None:
    """Build the scoring index over what is done so far."""
    from manifests.index import build_index

    click.echo(f"{run}: {build_index(RunFolder(run))} candidates in the index")


@command(main, "top", "fundiff top runs/night1 -n 1 --kind anagram")
@run_argument
@best_option
@filter_options
@json_option
def top(run: Path, best: int, as_json: bool, **filters: Any) -> None:
    """Show the best candidates of every request."""
    from manifests.index import top as best_of

    rows = best_of(RunFolder(run), best, **filters)
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = Table("pick", "request", "score", "status")
    for column in (0, 2, 3):
        table.columns[column].no_wrap = True
    for row in rows:
        seen = zip(row["prompts"], row["views"], strict=True)
        prompts = [p if v == "identity" else f"{p} ({v})" for p, v in seen]
        asked = "\n".join([f"{row['kind']}:", *prompts])
        table.add_row(
            f"{row['request_id']}:{row['candidate']}",
            escape(asked) if row["rank"] == 1 else "",
            _number(row["score"]),
            row["status"],
        )
    out.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@command(main, "export", "fundiff export runs/night1 -o best/ -n 1")
@run_argument
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@best_option
@filter_options
def export(run: Path, output: Path, best: int, **filters: Any) -> None:
    """Write the best candidates as PNG files named by rank."""
    from jobs.exporting import export_pictures

    count = export_pictures(RunFolder(run), output, best, **filters)
    click.echo(f"{output}: {count} pictures")


@command(main, "gallery", "fundiff gallery runs/night1 -o night1.html")
@run_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".html", ".htm"),
              help="RUN/gallery.html if not given.")  # fmt: skip
@best_option
@filter_options
def gallery(run: Path, output: Path | None, best: int, **filters: Any) -> None:
    """Write one HTML page that shows the best candidates in each of their views."""
    from jobs.exporting import write_gallery

    output = output or run / "gallery.html"
    count = write_gallery(RunFolder(run), output, best, **filters)
    click.echo(f"{output.resolve()}: {count} pictures")


@command(main, "animate", "fundiff animate runs/night1 -n 1 --format webp")
@run_argument
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path),
              help="Folder; RUN/animations if not given.")  # fmt: skip
@click.option("--format", "suffix", type=click.Choice(["gif", "webp", "mp4"]), default="webp",
              show_default=True)  # fmt: skip
@click.option("--side", type=click.IntRange(64, 2048), default=384, show_default=True,
              help="Side of the picture in pixels.")  # fmt: skip
@best_option
@filter_options
def animate(
    run: Path, output: Path | None, suffix: str, side: int, best: int, **filters: Any
) -> None:
    """Write an animation of the reveal of each of the best candidates."""
    from jobs.exporting import write_animations

    output = output or run / "animations"
    count, still = write_animations(RunFolder(run), output, suffix, side, best, **filters)
    click.echo(f"{output}: {count} animations")
    if still:
        say(f"{still} pictures have nothing to turn: one view, or a comparison of panels")


@command(main, "views", "fundiff views -o views.png")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".png", ".jpg", ".webp"),
              help="Write a picture of what each view does.")  # fmt: skip
@json_option
def views(output: Path | None, as_json: bool) -> None:
    """List every view with a picture of what it does."""
    from fundiff.view_names import FRAMES, SORTS
    from fundiff.views import DECOMPOSITIONS

    if output is not None:
        from jobs.showing_views import view_sheet

        view_sheet().save(output)
    if as_json:
        click.echo(json.dumps({sort.example: sort.words for sort in SORTS.values()}))
        return
    for name, sort in SORTS.items():
        what = "whole picture" if name in FRAMES else "component"
        click.echo(f"{sort.example:24} {what:14} {sort.words}")
    click.echo("\nViews are composed with +, as in flip+negate, turns before components.")
    click.echo(f"Components that add up to the whole: {', '.join(DECOMPOSITIONS)}.")
    if out.is_terminal:
        from jobs.showing_views import thumbnails

        out.print(thumbnails())
    elif output is None:
        say("a picture of what each does: `fundiff views -o views.png`")
