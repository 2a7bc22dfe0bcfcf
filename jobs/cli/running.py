"""Commands that draw: submit, try, demo, upscale; and how far a run is."""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from jobs.cli.common import (
    FAILED_ROWS,
    INCOMPLETE,
    command,
    exit_by_progress,
    json_option,
    main,
    model_options,
    out,
    output_file,
    run_argument,
    say,
    watching,
)
from jobs.cli.ranking import top
from jobs.cli.showing import gallery
from jobs.orders import UPSCALER
from manifests.kinds import KINDS
from manifests.layout import RunFolder

EXAMPLES = Path(__file__).parents[1] / "examples"


@command(main, "submit", "fundiff submit pairs.parquet --run runs/night1 --model mini")
@click.argument("manifest", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option("--cluster", type=click.Choice(["slurm", "local", "inline"]), default="local",
              show_default=True)  # fmt: skip
@click.option("--profile", help="SLURM profile: a name or a TOML file.")
@model_options
@click.option("--calibration", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="File of `fundiff calibrate`, with bars for requests without one.")  # fmt: skip
@click.option("--requests-per-shard", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--lanes", type=click.IntRange(min=1), help="Rows of stage I's batch.")
@click.option("--stage-2-lanes", type=click.IntRange(min=1), help="Rows of stage II's batch.")
@click.option("--dtype", type=click.Choice(["float32", "float16", "bfloat16"]))
@click.option("--device", type=click.Choice(["cpu", "cuda", "mps"]),
              help="A GPU if there is one.")  # fmt: skip
@click.option("--parallel", type=click.IntRange(min=1), help="Processes of --cluster local.")
@click.option("--dry-run", is_flag=True, help="Show what would be submitted.")
def submit(dry_run: bool, **options: Any) -> None:
    """Freeze a manifest into a run, plan its shards and draw it."""
    from jobs.launching import Launch, describe, launch

    asked = Launch(**options)
    if dry_run:
        click.echo("\n".join(describe(asked)))
        return
    with watching() as watch:
        said = launch(asked, watch, say)
    for line in said:
        say(line)
    if asked.cluster != "slurm":
        exit_by_progress(RunFolder(asked.run), told=True)


@command(main, "try", 'fundiff try "the digit 6" "the digit 9" --view rotate_180 --model mini')
@click.argument("prompts", nargs=-1, required=True)
@click.option("--view", "views", multiple=True,
              help="Of each prompt in turn, such as flip. One may be left out: the picture as "
                   "it stands, or the rest of a component.")  # fmt: skip
@click.option("-n", "candidates", type=click.IntRange(min=1), default=16, show_default=True,
              help="Candidates.")  # fmt: skip
@click.option("--kind", type=click.Choice(list(KINDS)), help="What fits the rest, if not given.")
@click.option("--image", help="Picture to edit, inpaint, or keep a component of.")
@click.option("--mask", help="White where the image is to be repainted.")
@click.option("--keep", help="Component of the image to keep, such as grayscale.")
@click.option("--set", "settings", multiple=True, metavar="COLUMN=VALUE",
              help="Any column of a manifest, such as guidance_scale=10.")  # fmt: skip
@click.option(
    "--run", type=click.Path(path_type=Path), help="Run folder; runs/try-ID if not given."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              callback=output_file(".png", ".jpg", ".webp"),
              help="Contact sheet; RUN/sheet.png if not given.")  # fmt: skip
@model_options
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes at once.")  # fmt: skip
def try_(
    prompts: tuple[str, ...],
    views: tuple[str, ...],
    settings: tuple[str, ...],
    run: Path | None,
    output: Path | None,
    parallel: int,
    **options: Any,
) -> None:
    """Draw one request here and now, no manifest needed, and write a contact sheet."""
    from jobs.contact_sheets import run_sheet
    from jobs.launching import Launch
    from jobs.trying import cells_of, launch_request, request_of

    columns = {name: options.pop(name) for name in ("candidates", "kind", "image", "mask", "keep")}
    request = request_of(prompts, views, cells_of(columns, settings))
    run = run or Path("runs") / f"try-{request.request_id}"
    asked = Launch(
        Path(), run, "inline" if parallel == 1 else "local", parallel=parallel, **options
    )
    with watching() as watch:
        for line in launch_request(request, asked, watch, say):
            say(line)
    output = output or run / "sheet.png"
    title = " | ".join(request.full_prompts)
    run_sheet(RunFolder(run), request.max_candidates, title).save(output)
    click.echo(f"{output}: best first")
    exit_by_progress(RunFolder(run), told=True)


@command(main, "upscale", "fundiff upscale runs/night1 --picks 0f04db06f4d0c8fa:3")
@run_argument
@click.option("--picks", multiple=True, metavar="REQUEST:CANDIDATE|FILE",
              help="A candidate, or a CSV or Parquet file of them; what was picked with "
                   "`fundiff curate` if not given.")  # fmt: skip
@click.option("--model", default=UPSCALER, show_default=True, help="A hub id or a folder.")
@click.option("--revision", help="Git revision of the model on the hub.")
@click.option("--guidance-scale", type=click.FloatRange(1, 100), default=9.0, show_default=True)
@click.option("--noise-level", type=click.IntRange(0, 350), default=20, show_default=True)
@click.option("--num-inference-steps", type=click.IntRange(1, 999), default=75, show_default=True)
@click.option("--lanes", type=click.IntRange(min=1), default=4, show_default=True,
              help="Rows of the UNet's batch.")  # fmt: skip
@click.option("--dtype", type=click.Choice(["float32", "float16", "bfloat16"]))
@click.option("--device", type=click.Choice(["cpu", "cuda", "mps"]),
              help="A GPU if there is one.")  # fmt: skip
@click.option("--cluster", type=click.Choice(["slurm", "local", "inline"]), default="local",
              show_default=True)  # fmt: skip
@click.option("--profile", help="SLURM profile: a name or a TOML file.")
def upscale(
    run: Path, picks: tuple[str, ...], cluster: str, profile: str | None, **settings: Any
) -> None:
    """Draw picked candidates four times as wide with stage III."""
    from jobs import steps
    from jobs.orders import Order, place_order
    from jobs.submitting import run_order
    from manifests.picks import picked
    from manifests.upscaled import drawn_for, read_picks
    from slurm.profiles import profile_for

    folder = RunFolder(run)
    resources = profile_for(cluster, profile)
    order = Order(tuple(read_picks(picks) if picks else picked(folder)), **settings)
    order = replace(order, device=order.device or resources.device)
    number = place_order(folder, order)
    for line in run_order(folder, steps.upscale, number, cluster, resources):
        say(line)
    if cluster != "slurm":
        ended = drawn_for(folder, number)
        drawn = sum(ended.values())
        hint = f"; `fundiff export {run}` writes them" if drawn else ""
        click.echo(f"{folder.upscaled}: {drawn} pictures{hint}")
        if len(ended) < len(order.picks):
            sys.exit(INCOMPLETE)
        if drawn < len(ended):
            say(f"{len(ended) - drawn} failed")
            sys.exit(FAILED_ROWS)


@command(main, "status", "fundiff status runs/night1 --watch")
@run_argument
@json_option
@click.option("--watch", is_flag=True, help="Look again every 30 seconds until it is complete.")
def status(run: Path, as_json: bool, watch: bool) -> None:
    """Say how far a run is, from its files and, if it has jobs, from SLURM."""
    from jobs.state import run_state

    while True:
        state = run_state(RunFolder(run))
        if as_json:
            click.echo(json.dumps(asdict(state)))
        else:
            _print_state(run, state)
        if not watch or state.over:
            exit_by_progress(RunFolder(run))
            return
        time.sleep(30)


def _print_state(run: Path, state: Any) -> None:
    now = state.progress
    table = Table(title=escape(str(run)), show_header=False, title_justify="left")
    table.add_row("requests", str(now.requests))
    table.add_row("shards", f"{now.shards_done} of {now.shards} done")
    table.add_row("prompts", "encoded" if now.encoded else "not encoded yet")
    for name, count in sorted(now.candidates.items()):
        table.add_row(f"candidates {name}", str(count))
    for name, count in sorted(state.jobs.items()):
        table.add_row(f"jobs {name.lower()}", str(count))
    out.print(table)
    for note in state.notes:
        click.echo(note)


@command(main, "profiles", "fundiff profiles")
def profiles() -> None:
    """List the SLURM profiles that --profile knows."""
    from slurm.profiles import list_profiles

    for name in list_profiles():
        click.echo(name)


@command(main, "demo", "fundiff demo --run runs/demo")
@click.option("--run", type=click.Path(path_type=Path), default=Path("runs/demo"),
              show_default=True)  # fmt: skip
@click.option("--parallel", type=click.IntRange(min=1), default=min(os.cpu_count() or 1, 4),
              show_default=True, help="Processes at once.")  # fmt: skip
@click.pass_context
def demo(context: click.Context, run: Path, parallel: int) -> None:
    """Draw a few real illusions here and now with the embedded model, and show them."""
    from jobs.launching import Launch, launch

    example = EXAMPLES / "demo.yaml"
    asked = Launch(example, run, "local", "mini", requests_per_shard=2, parallel=parallel)
    with watching() as watch:
        for line in launch(asked, watch, say):
            say(line)
    context.invoke(top, run=run, best=1)
    context.invoke(gallery, run=run, output=None, best=2)
    exit_by_progress(RunFolder(run))
