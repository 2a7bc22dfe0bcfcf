"""The command `fundiff`: each command parses, calls one function and prints."""

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from jobs.config import code_version
from jobs.reading import SourceError, read_requests_from
from manifests.kinds import KINDS
from manifests.layout import RunFolder
from manifests.progress import Progress
from manifests.records import STATUSES

F = TypeVar("F", bound=Callable[..., Any])

ERROR, USAGE, INCOMPLETE, FAILED_ROWS = 1, 2, 3, 4
"""Exit codes besides 0, which says that all is complete."""

EXAMPLES = Path(__file__).with_name("examples")

out, err = Console(), Console(stderr=True)


def _require_run(_context: click.Context, _parameter: click.Parameter, path: Path) -> Path:
    """Refuse a folder that is no run."""
    if not RunFolder(path).run_json.is_file():
        raise click.BadParameter(f"{path} is no run folder; `fundiff submit` makes one.")
    return path


run_argument = click.argument(
    "run", type=click.Path(path_type=Path), metavar="RUN", callback=_require_run
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print data and nothing else.")
best_option = click.option(
    "-n", "--best", type=click.IntRange(min=1), default=3, show_default=True, help="Per request."
)


def filter_options(function: F) -> F:
    """Add the options that choose among requests."""
    for option in (
        click.option("--kind", type=click.Choice(list(KINDS)), help="Only this kind of request."),
        click.option("--tag", help="Only requests with this tag."),
        click.option("--status", type=click.Choice(STATUSES), help="Only such candidates."),
    ):
        function = option(function)
    return function


def command(group: click.Group, name: str, example: str) -> Callable[[F], click.Command]:
    """Register a command whose help ends in a runnable example.

    A user's mistake becomes one line on stderr and exit code 1; a bug stays a traceback.
    """

    def register(function: F) -> click.Command:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except (ValueError, OSError) as error:
                click.secho(f"fundiff: {error}", err=True, fg="red")
                sys.exit(USAGE if isinstance(error, SourceError) else ERROR)

        epilog = f"\b\nExample:\n  {example}"
        return group.command(name, epilog=epilog)(guarded)

    return register


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(code_version(), prog_name="fundiff")
def main() -> None:
    """Draw visual illusions by the thousand with DeepFloyd IF, and keep the best."""


@main.group()
def manifest() -> None:
    """Make and check the table of requests."""


@command(manifest, "build", "fundiff manifest build pairs.csv -o pairs.parquet")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--style", "styles", multiple=True, help="Repeat every row in this style.")
@click.option("--allow-outside", is_flag=True, help="Read images outside SOURCE's folder too.")
def manifest_build(
    source: Path, output: Path, styles: tuple[str, ...], allow_outside: bool
) -> None:
    """Turn CSV, JSONL or YAML into a Parquet manifest with its images embedded."""
    from manifests.manifest import write_manifest

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


@command(main, "submit", "fundiff submit pairs.parquet --run runs/night1 --model mini")
@click.argument("manifest", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option("--cluster", type=click.Choice(["slurm", "local", "inline"]), default="local",
              show_default=True)  # fmt: skip
@click.option("--profile", help="SLURM profile: a name or a TOML file.")
@click.option("--model", default="DeepFloyd/IF-I-M-v1.0", show_default=True,
              help="mini, a hub id, or a folder.")  # fmt: skip
@click.option("--stage-2", help="Hub id or folder of stage II, if not the usual partner.")
@click.option("--judge", help="Hub id or folder of the CLIP-like model that scores.")
@click.option("--revision", help="Git revision of the model on the hub.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0, show_default=True)
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
    with _watching() as watch:
        said = launch(asked, watch)
    for line in said:
        click.echo(line, err=True)
    if asked.cluster != "slurm":
        _exit_by_progress(RunFolder(asked.run))


@contextmanager
def _watching() -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar of shards on stderr, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("encoding prompts", total=None)

        def watch(now: Progress) -> None:
            counts = ", ".join(f"{n} {status}" for status, n in sorted(now.candidates.items()))
            bar.update(
                task,
                total=now.shards,
                completed=now.shards_done,
                description=f"shards ({counts or 'drawing'})",
            )

        yield watch


def _exit_by_progress(folder: RunFolder) -> None:
    """End with the exit code that says how complete the run is."""
    from manifests.progress import progress

    now = progress(folder)
    if now.shards_done < now.shards:
        sys.exit(INCOMPLETE)
    if now.candidates.get("failed"):
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
            _exit_by_progress(RunFolder(run))
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
    table = Table("request", "prompts", "rank", "candidate", "score", "concealment", "status")
    table.columns[0].no_wrap = True
    for row in rows:
        first = row["rank"] == 1
        table.add_row(
            row["request_id"] if first else "",
            escape("\n".join(row["prompts"])) if first else "",
            str(row["rank"]),
            str(row["candidate"]),
            _number(row["score"]),
            _number(row["concealment"]),
            row["status"],
            end_section=False,
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
              help="RUN/gallery.html if not given.")  # fmt: skip
@best_option
@filter_options
def gallery(run: Path, output: Path | None, best: int, **filters: Any) -> None:
    """Write one HTML page that shows the best candidates in each of their views."""
    from jobs.exporting import write_gallery

    output = output or run / "gallery.html"
    count = write_gallery(RunFolder(run), output, best, **filters)
    click.echo(f"{output.resolve()}: {count} pictures")


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
    with _watching() as watch:
        for line in launch(asked, watch):
            click.echo(line, err=True)
    context.invoke(top, run=run, best=1)
    context.invoke(gallery, run=run, output=None, best=2)
    _exit_by_progress(RunFolder(run))
