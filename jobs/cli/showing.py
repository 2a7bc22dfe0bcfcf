"""Commands that show pictures on a page or a sheet: gallery, views."""

import json
from pathlib import Path
from typing import Any

import click

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


@command(main, "gallery", "fundiff gallery runs/night1 -o night1.html")
@run_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".html", ".htm"),
              help="RUN/gallery.html if not given.")  # fmt: skip
@best_option
@filter_options
def gallery(run: Path, output: Path | None, best: int, **filters: Any) -> None:
    """Write one HTML page that shows the best candidates in each of their views."""
    from jobs.cards import write_gallery

    output = output or run / "gallery.html"
    count = write_gallery(RunFolder(run), output, best, **filters)
    click.echo(f"{output.resolve()}: {count} pictures")


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
