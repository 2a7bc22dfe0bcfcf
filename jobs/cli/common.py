"""What the commands share: the group, options, exit codes, and how mistakes are told."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from jobs.config import code_version
from jobs.reading import SourceError
from manifests.kinds import KINDS
from manifests.layout import RunFolder
from manifests.progress import Progress
from manifests.records import STATUSES

F = TypeVar("F", bound=Callable[..., Any])

ERROR, USAGE, INCOMPLETE, FAILED_ROWS = 1, 2, 3, 4
"""Exit codes besides 0, which says that all is complete."""

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
EVERY = 2**31 - 1
"""More candidates than any request has."""


def _best(context: click.Context, _parameter: click.Parameter, best: int | None) -> int:
    """Return how many candidates of a request are wanted: who picked them wants them all.

    Click has read what is given, such as `--picked`, before what is not, such as `-n` then.
    """
    return best or (EVERY if context.params.get("picked") else 3)


best_option = click.option(
    "-n", "--best", type=click.IntRange(min=1), callback=_best,
    help="Per request; 3 if not given, or all with --picked.",
)  # fmt: skip


def filter_options(function: F) -> F:
    """Add the options that choose among requests and candidates: `manifests.filters.Filters`."""
    for option in reversed((
        click.option("--kind", type=click.Choice(list(KINDS)), help="Only this kind of request."),
        click.option("--tag", help="Only requests with this tag."),
        click.option("--text", help="Only requests with these words in style, prompts or tags."),
        click.option("--status", type=click.Choice(STATUSES), help="Only such candidates."),
        click.option("--min-score", type=float, help="Only candidates with this score or more."),
        click.option("--picked", is_flag=True,
                     help="Only candidates that somebody picked; all of them without -n."),
        click.option("--distinct", type=click.FloatRange(0, 1), metavar="COSINE",
                     help="Pass over pictures that are more like a better one than this."),
        click.option("--by", multiple=True, metavar="JUDGE",
                     help="Rank the candidates of a request by this judge of `fundiff score`; by "
                          "several together. Requests stay in the order of their scores."),
    )):  # fmt: skip
        function = option(function)
    return function


def model_options(function: F) -> F:
    """Add the options that say with which models and which seed to draw."""
    for option in reversed((
        click.option("--model", default="DeepFloyd/IF-I-M-v1.0", show_default=True,
                     help="mini, a hub id, or a folder."),
        click.option("--stage-2", help="Hub id or folder of stage II, if not the usual partner."),
        click.option("--judge", multiple=True,
                     help="Hub id or folder of a CLIP-like model that scores; several rank "
                          "together."),
        click.option("--held-out", help="Another one, that only reports."),
        click.option("--revision", help="Git revision of the model on the hub."),
        click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0,
                     show_default=True),
    )):  # fmt: skip
        function = option(function)
    return function


def output_file(*suffixes: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that refuses a file that could not be written, before work is done."""

    def check(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Any:
        if path is not None and path.suffix.lower() not in suffixes:
            raise click.BadParameter(f"{path.name!r} must end in {' or '.join(suffixes)}.")
        if path is not None and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"folder {path.parent} does not exist; make it first.")
        return path

    return check


def say(line: str) -> None:
    """Print what is no data: to stderr."""
    click.echo(line, err=True)


def command(group: click.Group, name: str, example: str) -> Callable[[F], click.Command]:
    """Register a command whose help ends in a runnable example.

    A user's mistake becomes one line on stderr and exit code 1; a bug stays a traceback.
    """

    def register(function: F) -> click.Command:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BrokenPipeError:  # click ends quietly when nobody reads on
                raise
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


@contextmanager
def watching() -> Iterator[Callable[[Progress], None]]:
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


def exit_by_progress(folder: RunFolder, told: bool = False) -> None:
    """End with the exit code that says how complete the run is; say so first if told to."""
    from manifests.progress import progress

    now = progress(folder)
    if told:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(now.candidates.items()))
        say(f"{now.shards_done} of {now.shards} shards done: {counts or 'no candidates'}")
    if now.shards_done < now.shards:
        sys.exit(INCOMPLETE)
    if now.candidates.get("failed"):
        sys.exit(FAILED_ROWS)
