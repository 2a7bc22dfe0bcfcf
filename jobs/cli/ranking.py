"""Commands that ask the scoring index: index, top, sql."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from jobs.answers import json_text, table_of, write_csv
from jobs.cli.common import (
    best_option,
    command,
    filter_options,
    json_option,
    main,
    out,
    run_argument,
    say,
)
from manifests.layout import RunFolder

if TYPE_CHECKING:
    from manifests.sql import Answer

SHOWN = 200
"""Rows of an answer that are shown as a table; who wants more wants a file."""


@command(main, "index", "fundiff index runs/night1")
@run_argument
def index(run: Path) -> None:
    """Build the scoring index over what is done so far."""
    from manifests.index import build_index

    click.echo(f"{run}: {build_index(RunFolder(run))} candidates in the index")


@command(main, "top", "fundiff top runs/night1 -n 1 --kind anagram --text skull")
@run_argument
@best_option
@filter_options
@json_option
def top(run: Path, best: int, as_json: bool, **filters: Any) -> None:
    """Show the best candidates of every request."""
    from manifests.filters import Filters
    from manifests.ranking import ranking

    rows = ranking(RunFolder(run), best, Filters(**filters))
    if as_json:
        _print_json(rows)
    else:
        out.print(_ranking_table(rows, list(dict.fromkeys(filters["by"]))))


def _ranking_table(rows: Iterable[Mapping[str, Any]], judges: Sequence[str]) -> Table:
    table = Table("pick", "request", "score", *map(escape, judges), "status")
    for column in table.columns:
        column.no_wrap = column.header != "request"
    for row in rows:
        seen = zip(row["prompts"], row["views"], strict=True)
        prompts = [p if v == "identity" else f"{p} ({v})" for p, v in seen]
        asked = "\n".join([f"{row['kind']}:", *prompts])
        table.add_row(
            f"{row['request_id']}:{row['candidate']}",
            escape(asked) if row["rank"] == 1 else "",
            *map(_number, [row["score"], *(row["by"][judge] for judge in judges)]),
            row["status"],
        )
    return table


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


@command(
    main, "sql", 'fundiff sql runs/night1 "select kind, max(score) from candidates group by 1"'
)
@run_argument
@click.argument("query", required=False)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV and nothing else.")
def sql(run: Path, query: str | None, as_json: bool, as_csv: bool) -> None:
    """Ask the run's tables in DuckDB's SQL, or list them and their columns.

    A run is only read: QUERY is one SELECT, and sees no other file.
    """
    from manifests.sql import ask, columns_of

    folder = RunFolder(run)
    if query is None:
        _print_answer(columns_of(folder), as_json, as_csv)
        return
    with ask(folder, query) as answer:
        _print_answer(answer, as_json, as_csv)


def _print_answer(answer: "Answer", as_json: bool, as_csv: bool) -> None:
    if as_json:
        _print_json(dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
    elif as_csv:
        write_csv(answer.columns, answer.rows, sys.stdout)
    else:
        out.print(table_of(answer.columns, answer.rows, SHOWN, out))
        if next(answer.rows, None) is not None:
            say(f"these are the first {SHOWN} rows; --json and --csv print all")


def _print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    for text in json_text(rows):
        click.echo(text, nl=False)
