"""The command that tries judges: calibrate."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from jobs.cli.common import (
    command,
    json_option,
    main,
    out,
    output_file,
    run_argument,
    say,
    watching,
)

if TYPE_CHECKING:
    from jobs.calibration.calibration import Calibration
    from jobs.calibration.verdicts import KindVerdict
    from jobs.statistics import Estimate


@command(main, "calibrate", "fundiff calibrate runs/night1 --picks picks.csv")
@run_argument
@click.option(
    "--judge",
    "judges",
    multiple=True,
    help="Hub id or folder of a CLIP-like model; the run's own if none is given.",
)
@click.option(
    "--picks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or Parquet of what people liked; RUN/picks.parquet if there is one.",
)
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    help="Of each kind that get controls; 16 if not given.",
)
@click.option(
    "--candidates", type=click.IntRange(min=1), help="Of each sort of control; 8 if not given."
)
@click.option(
    "--false-accepts",
    type=click.FloatRange(0.001, 0.5),
    default=0.05,
    show_default=True,
    help="Share of controls that may reach the bar.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=output_file(".json"),
    help="RUN/calibration.json if not given.",
)
@click.option(
    "--cluster", type=click.Choice(["local", "inline"]), default="local", show_default=True
)
@click.option("--parallel", type=click.IntRange(min=1), help="Processes of --cluster local.")
@json_option
def calibrate(run: Path, output: Path | None, as_json: bool, **options: Any) -> None:
    """Try judges on pictures that are no illusions, and say whether they may select."""
    from jobs.calibration.calibrating import Trial
    from jobs.calibration.calibrating import calibrate as try_judges
    from jobs.calibration.calibration import write_calibration

    with watching() as watch:
        found = try_judges(Trial(run, **options), watch, say)
    output = output or run / "calibration.json"
    write_calibration(found, output)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    out.print(_against(found))
    for judge, kinds in found.judges.items():
        click.echo(f"\n{judge}")
        for kind, verdict in kinds.items():
            click.echo(f"  {kind}: {verdict.why}")
            click.echo(f"    {_bar(verdict)}")
    for pair in found.agreement:
        click.echo(f"\n{' and '.join(pair.judges)} rank alike with rho {_said(pair.spearman)}")
    click.echo(f"\n{output}: a judge that selects must not be the only one that reports")


def _against(found: "Calibration") -> Table:
    """Return the table of how well each judge tells what from what, judges side by side."""
    table = Table("kind", "AUC of", "against", *(escape(_short(judge)) for judge in found.judges))
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for judge, kinds in found.judges.items():
        for kind, verdict in kinds.items():
            for what, against, said in _measures(verdict):
                rows.setdefault((kind, what, against), {})[judge] = said
    for labels, said_by in sorted(rows.items(), key=lambda row: row[0][0]):
        table.add_row(*labels, *(said_by.get(judge, "") for judge in found.judges))
    return table


def _measures(verdict: "KindVerdict") -> list[tuple[str, str, str]]:
    found = [
        (verdict.positives, sort.replace("_", " "), _said(estimate))
        for sort, estimate in verdict.auc.items()
    ]
    if verdict.auc_of_picks:
        found.append(("liked", "disliked", _said(verdict.auc_of_picks)))
    if verdict.spearman:
        found.append(("rho with", "ratings", _said(verdict.spearman)))
    return found


def _bar(verdict: "KindVerdict") -> str:
    if verdict.accept is None:
        return "no bar: it has no controls"
    passes = f"{verdict.passes:.0%}" if verdict.passes is not None else "none"
    return (
        f"accept {verdict.accept:.4f}: {verdict.reached} of {verdict.controls} controls, of "
        f"{verdict.requests} requests, reach it, at most {verdict.false_accepts:.1%} of each "
        f"sort; of other requests more may; {passes} of what was {verdict.positives} passes"
    )


def _said(estimate: "Estimate | None") -> str:
    if estimate is None:
        return "unknown"
    interval = f"{estimate.low:.2f} to {estimate.high:.2f}"
    return f"{estimate.value:.2f} ({interval}; {estimate.requests} requests)"


def _short(judge: str) -> str:
    """Return the last two parts of a judge's name or folder."""
    return "/".join(Path(judge).parts[-2:])
