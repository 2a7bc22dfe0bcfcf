"""Commands about the table of requests: manifest build and check."""

import sys
from pathlib import Path
from typing import Any

import click

from jobs.cli.common import USAGE, command, main, output_file
from jobs.reading import read_requests_from


@main.group()
def manifest() -> None:
    """Make and check the table of requests."""


@command(manifest, "build", "fundiff manifest build pairs.csv -o pairs.parquet")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
              callback=output_file(".parquet"))  # fmt: skip
@click.option("--style", "styles", multiple=True, help="Repeat every row in this style.")
@click.option("--allow-outside", is_flag=True, help="Read images outside SOURCE's folder too.")
def manifest_build(
    source: Path, output: Path, styles: tuple[str, ...], allow_outside: bool
) -> None:
    """Turn CSV, JSONL or YAML into a Parquet manifest with its images embedded."""
    from manifests.manifest import write_manifest

    if output.resolve() == source.resolve():
        raise click.BadParameter(f"{output} is the source itself.", param_hint="--output")
    requests, problems = read_requests_from(source, styles, allow_outside)
    _print_problems(source, problems)
    write_manifest(requests, output)
    click.echo(f"{output}: {len(requests)} requests")


@command(manifest, "check", "fundiff manifest check pairs.csv")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--style", "styles", multiple=True, help="Repeat every row in this style.")
@click.option("--allow-outside", is_flag=True, help="Read images outside SOURCE's folder too.")
def manifest_check(source: Path, styles: tuple[str, ...], allow_outside: bool) -> None:
    """List every bad row of a manifest or of its source, and what to do about it."""
    requests, problems = read_requests_from(source, styles, allow_outside)
    _print_problems(source, problems)
    click.echo(f"{source}: {len(requests)} requests, no errors")


def _print_problems(source: Path, problems: list[Any]) -> None:
    """Print all problems; end with the code for usage if one of them is an error."""
    for problem in problems:
        where = f"{source}:{problem.line}" + (f": {problem.column}" if problem.column else "")
        got = f" (got {problem.value!r})" if problem.value else ""
        line = f"{problem.severity}: {where}: {problem.message}{got}; {problem.remedy}"
        click.secho(line, err=True, fg="red" if problem.severity == "error" else "yellow")
    if errors := sum(problem.severity == "error" for problem in problems):
        click.echo(f"{source}: {errors} errors, nothing was written", err=True)
        sys.exit(USAGE)
