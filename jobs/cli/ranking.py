"""Commands about the scoring index: index, top."""

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from jobs.cli.common import (
    best_option,
    command,
    filter_options,
    json_option,
    main,
    out,
    run_argument,
)
from manifests.layout import RunFolder


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
    table = Table("pick", "request", "score", "status")
    for column in (0, 2, 3):
        table.columns[column].no_wrap = True
    for row in rows:
        seen = zip(row["prompts"], row["views"], strict=True)
        prompts = [p if v == "identity" else f"{p} ({v})" for p, v in seen]
        asked = "\n".join([f"{row['kind']}:", *prompts])
        table.add_row(
            f"{row['request_id']}:{row['candidate']}",
            escape(asked) if row["rank"] == 1 else "",
            _number(row["score"]),
            row["status"],
        )
    out.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
