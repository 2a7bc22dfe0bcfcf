"""The command that scores what is drawn with another judge: score."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from jobs.cli.common import INCOMPLETE, command, json_option, main, out, run_argument, say
from manifests.layout import RunFolder


@command(main, "score", "fundiff score runs/night1 --judge google/siglip2-so400m-patch14-384")
@run_argument
@click.option("--judge", required=True, help="Hub id or folder of a CLIP-like model.")
@click.option("--name", help="What --by knows it as; made of the judge's name if not given.")
@click.option("--device", type=click.Choice(["cpu", "cuda", "mps"]),
              help="A GPU if there is one.")  # fmt: skip
@click.option("--cluster", type=click.Choice(["slurm", "local", "inline"]), default="local",
              show_default=True)  # fmt: skip
@click.option("--profile", help="SLURM profile: a name or a TOML file.")
@json_option
def score(
    run: Path,
    judge: str,
    name: str | None,
    device: str | None,
    cluster: str,
    profile: str | None,
    as_json: bool,
) -> None:
    """Score all that is drawn with another judge, without drawing again.

    `fundiff top RUN --by NAME` ranks by it from then on, and so do the other commands.
    """
    from fundiff.catalogue import absolute
    from jobs import steps
    from jobs.scoring import Scoring, agreement, name_of, place_scoring, unscored
    from jobs.submitting import run_order
    from slurm.profiles import profile_for

    folder = RunFolder(run)
    resources = profile_for(cluster, profile)
    judge = absolute(judge)
    scoring = Scoring(name or name_of(judge), judge, device or resources.device)
    number = place_scoring(folder, scoring)
    for line in run_order(folder, steps.score, number, cluster, resources):
        say(line)
    if cluster == "slurm":
        return
    if unscored(folder, scoring.name):
        sys.exit(INCOMPLETE)
    agreed = agreement(folder, scoring.name)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in agreed]))
        return
    table = Table("kind", "compared", "Spearman", "same best", title=scoring.name)
    for each in agreed:
        rho = "" if each.spearman is None else f"{each.spearman:.2f}"
        table.add_row(each.kind, str(each.candidates), rho, f"{each.same_best:.0%}")
    out.print(table)
    say(f"ranked by it: `fundiff top {run} --by {scoring.name}`")
