"""The command `fundiff`: each command parses, calls one function and prints."""

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from jobs.config import code_version

F = TypeVar("F", bound=Callable[..., Any])

COMPLETE, ERROR, USAGE, INCOMPLETE, FAILED_ROWS, PREFLIGHT = 0, 1, 2, 3, 4, 5
"""Exit codes: what a script that calls fundiff may rely on."""

console = Console()
progress_console = Console(stderr=True)

run_argument = click.argument(
    "run", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print data and nothing else.")


def example(text: str) -> Callable[[F], F]:
    """Add a runnable example to the end of a command's help."""

    def add(function: F) -> F:
        function.__doc__ = f"{function.__doc__}\n\n    \b\n    Example:\n      {text}\n"
        return function

    return add


def user_errors(function: F) -> F:
    """Turn a user's mistake into one line on stderr and exit code 1; a bug stays a traceback."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (ValueError, FileNotFoundError, PermissionError) as error:
            click.echo(f"fundiff: {error}", err=True)
            sys.exit(ERROR)

    return wrapped  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(code_version(), prog_name="fundiff")
def main() -> None:
    """Draw visual illusions by the thousand with DeepFloyd IF, and keep the best."""
