"""Commands that bring something out of a run: export, animate, report, rerun."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.cli.common import (
    ERROR,
    best_option,
    command,
    filter_options,
    json_option,
    main,
    output_file,
    run_argument,
    say,
)
from manifests.layout import RunFolder

if TYPE_CHECKING:
    from jobs.rerunning import Rerun


@command(main, "export", "fundiff export runs/night1 -o best/ -n 1")
@run_argument
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="A new or empty folder.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["png", "csv", "hf", "webdataset"]),
              default="png", show_default=True,
              help="PNG files that say what they are, a CSV with pictures beside it, a Hugging "
                   "Face dataset, or tar archives.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Put it in the place of an earlier export.")
@best_option
@filter_options
def export(run: Path, output: Path, form: str, replace: bool, best: int, **filters: Any) -> None:
    """Write the best candidates as files that others read."""
    from jobs.exporting import export_pictures

    count = export_pictures(RunFolder(run), output, best, form, replace, **filters)
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


@command(main, "report", "fundiff report runs/night1 -o night1-report.html")
@run_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".html", ".htm"),
              help="RUN/report.html if not given.")  # fmt: skip
def report(run: Path, output: Path | None) -> None:
    """Write one HTML page on scores, cost, failures, and what more candidates bring."""
    from jobs.report.page import write_report

    output = output or run / "report.html"
    count = write_report(RunFolder(run), output)
    click.echo(f"{output.resolve()}: {count} candidates")


@command(main, "rerun", "fundiff rerun runs/night1 --request 0f04db06f4d0c8fa --candidate 3")
@run_argument
@click.option("--request", required=True, help="The request's id, or as much as only it has.")
@click.option("--candidate", type=click.IntRange(min=0), required=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".png"), help="Write the picture as PNG.")  # fmt: skip
@click.option("--encode", is_flag=True,
              help="Encode the run's prompts again if their embeddings were removed.")  # fmt: skip
@json_option
def rerun(
    run: Path, request: str, candidate: int, output: Path | None, encode: bool, as_json: bool
) -> None:
    """Draw one picture again, and say whether it is the stored one to the bit.

    Stages I and II are compared pixel by pixel; what `upscale` made of them is not drawn again.
    The exit code is 0 if all agree, 1 if not.
    """
    from jobs.rerunning import rerun as draw_again
    from jobs.rerunning import save_picture

    drawn = draw_again(RunFolder(run), request, candidate, encode)
    if output is not None:
        save_picture(drawn.picture, output)
    if as_json:
        stages = [asdict(comparison) for comparison in drawn.comparisons]
        data = {"request_id": drawn.request_id, "candidate": candidate, "agrees": drawn.agrees}
        click.echo(json.dumps(data | {"stages": stages}))
    else:
        _print_rerun(drawn)
    if not drawn.agrees:
        sys.exit(ERROR)


def _print_rerun(drawn: "Rerun") -> None:
    for each in drawn.comparisons:
        words = f"the same to the bit ({each.pixels:,} pixels)"
        if each.differing:
            share = f"{each.differing:,} of {each.pixels:,} pixels"
            words = f"{share} differ, by at most {each.largest} of 255"
        click.echo(f"{each.name}: {words}")
    if not drawn.agrees:
        say(
            f"drawn on {drawn.device} in {drawn.dtype}; another device, torch or number of lanes "
            "than the run's gives other bits"
        )
