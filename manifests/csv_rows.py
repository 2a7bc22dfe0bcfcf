"""Reads rows from CSV."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from manifests.columns import COLUMNS, LIST_COLUMNS, NUMBER_COLUMNS, split_cell
from manifests.rows import Problem, RawRow, bad_row, did_you_mean, shorten


def read_csv(text: str) -> Iterator[RawRow]:
    """Yield the rows of a CSV with a header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(row for row in reader if any(row))]
        problems = list(_header_problems(header, reader.line_num))
        if problems:
            yield RawRow(reader.line_num, {}, tuple(problems))
        if not {"kind", "prompts"} <= set(header):
            return
        rows = 0
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows += 1
                yield _csv_row(line, header, cells)
            line = reader.line_num + 1
        if not rows:
            yield bad_row(
                reader.line_num,
                "",
                "",
                "there is a header but no row",
                "write one row per request",
            )
    except StopIteration:
        return
    except csv.Error as error:
        line = reader.line_num
        yield bad_row(line, "", "", f"the CSV breaks off here: {error}", "check the quotes")


def _header_problems(header: list[str], line: int) -> Iterator[Problem]:
    """Yield what is wrong with the names of a CSV's columns."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            message = f"{name} separate the columns"
            yield Problem(line, "", shorten(header[0]), message, "separate them with commas")
            return
    for index, name in enumerate(header):
        if not name:
            message = f"column {index + 1} has no name"
            yield Problem(line, "", "", message, "name it or remove it")
        elif name in header[:index]:
            message = f"column {shorten(name)!r} stands twice"
            yield Problem(line, shorten(name), shorten(name), message, "remove one of them")
        elif name not in COLUMNS:
            message = f"column {shorten(name)!r} is unknown"
            remedy = did_you_mean(name, COLUMNS)
            yield Problem(line, shorten(name), shorten(name), message, remedy)
    for name in ("kind", "prompts"):
        if name not in header:
            yield Problem(
                line, name, "", f"column {name!r} is missing", "add it to the first line"
            )


def _csv_row(line: int, header: list[str], cells: list[str]) -> RawRow:
    if len(cells) != len(header):
        message = f"{len(cells)} cells under {len(header)} columns"
        remedy = 'write every cell, and quote a cell that holds a comma: "a, b"'
        return bad_row(line, "", ",".join(cells), message, remedy)
    fields: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        value = cell.strip()
        # A header's faults are named once, not in every row.
        if value and name in COLUMNS:
            fields[name] = read_cell(name, value)
    return RawRow(line, fields)


def read_cell(column: str, cell: str) -> Any:
    """Return a cell as a list, a number or text, as its column wants; text if it is no number."""
    if column in LIST_COLUMNS:
        return split_cell(cell)
    if column in NUMBER_COLUMNS and cell.isascii() and "_" not in cell:
        try:
            return int(cell) if re.fullmatch(r"[+-]?\d+", cell) else float(cell)
        except ValueError:
            return cell
    return cell
