"""Commands that show pictures on a page or a sheet: gallery, curate, views."""

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


def _page_or_folder(context: click.Context, parameter: click.Parameter, path: Path | None) -> Any:
    """Refuse what can be neither a page nor a folder, before work is done."""
    if path is None or path.is_dir() or not path.suffix:
        return path
    return output_file(".html", ".htm")(context, parameter, path)


@command(main, "gallery", "fundiff gallery runs/night1 -o night1.html")
@run_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), callback=_page_or_folder,
              help="HTML file or folder; RUN/gallery.html if not given.")  # fmt: skip
@best_option
@filter_options
def gallery(run: Path, output: Path | None, best: int, **filters: Any) -> None:
    """Write HTML pages that show the best candidates, to look at, rate and share."""
    from jobs.gallery import first_page, write_gallery

    output = first_page(output or run / "gallery.html")
    count = write_gallery(RunFolder(run), output, best, **filters)
    click.echo(f"{output.resolve()}: {count} pictures")


@command(main, "curate", "fundiff curate runs/night1 -n 4")
@run_argument
@best_option
@filter_options
@click.option("--who", help="Whose picks these are; your login name if not given.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True,
              help="On this machine only; 0 is a free one.")  # fmt: skip
def curate(run: Path, best: int, who: str | None, port: int, **filters: Any) -> None:
    """Look through the best candidates in a browser, rate them, and keep the picks."""
    from jobs.curation.curation import Curation
    from jobs.curation.server import make_app, new_token
    from jobs.curation.serving import login_name, serve

    folder, token = RunFolder(run), new_token()
    curation = Curation(folder, best, who or login_name(), **filters)
    click.echo(f"{run}: {len(curation.catalogue().places)} pictures; picks go to {folder.picks}")
    serve(make_app(curation, token), token, port, click.echo)


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
