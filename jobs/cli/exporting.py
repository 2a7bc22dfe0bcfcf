"""Commands that write pictures as files: export, animate."""

from pathlib import Path
from typing import Any

import click

from jobs.cli.common import best_option, command, filter_options, main, run_argument, say
from manifests.layout import RunFolder


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
