"""Rows of any table as text: JSON, CSV, or a table for a terminal."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text


def json_text(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the text of one JSON array, a row at a time as the rows come."""
    before = "["
    for row in rows:
        yield before + json.dumps({name: plain(value) for name, value in row.items()})
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], file: TextIO) -> None:
    """Write rows under a line of their columns; what is null is empty, what is nested is JSON."""
    # Text is quoted: Python before 3.13 would leave a lone carriage return as it is.
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in rows)


def table_of(
    columns: Sequence[str], rows: Iterator[Sequence[Any]], most: int, console: Console
) -> RenderableType:
    """Return the first rows as a table for a terminal, without what the terminal would obey.

    Where the columns are too many for their words to fit beside each other, each row is a record
    of its own instead, with a line per column.
    """
    names = [Text(_printable(column)) for column in columns]
    cells = [[Text(_printable(_cell(value))) for value in row] for row in islice(rows, most)]
    table = Table(*(escape(name.plain) for name in names))
    for row in cells:
        table.add_row(*row)
    if _least_width(table, console) <= console.width:
        return table
    parts = [part for n, row in enumerate(cells, 1) for part in _record(n, names, row)]
    return Group(*parts) if parts else Text("no rows")


def _least_width(table: Table, console: Console) -> int:
    """Return the characters that a table takes if no word of it is broken."""
    boundless = console.options.update(width=_BOUNDLESS)
    return console.measure(table, options=boundless).minimum


_BOUNDLESS = 10**9


def _record(n: int, names: Sequence[Text], row: Sequence[Text]) -> Iterator[RenderableType]:
    yield Rule(f"row {n}", align="left")
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for name, value in zip(names, row, strict=True):
        lines.add_row(name, value)
    yield lines


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: bytes as their number, no NaN, other things as text."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else str(value)


def _cell(value: Any) -> str | int | float:
    """Return a value as a cell of a table."""
    value = plain(value)
    if isinstance(value, (bool, list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value


def _printable(value: object) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value))
