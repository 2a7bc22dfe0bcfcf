"""Rows of any table as text: JSON, CSV, or a table for a terminal."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, TextIO

from rich.markup import escape
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


def table_of(columns: Sequence[str], rows: Iterator[Sequence[Any]], most: int) -> Table:
    """Return the first rows as a table for a terminal, without what the terminal would obey."""
    table = Table(*(escape(_printable(column)) for column in columns))
    for row in islice(rows, most):
        table.add_row(*(Text(_printable(_cell(value))) for value in row))
    return table


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
