"""Rows as text that other programs and terminals take."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jobs.answers import json_text, plain, table_of, write_csv


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())))
def test_json_is_one_array_of_the_rows(rows):
    """Empty ones too."""
    assert json.loads("".join(json_text(rows))) == rows


def test_json_comes_as_the_rows_come():
    """An array of any length is written from a small memory."""
    text = json_text({"n": n} for n in count())
    assert next(text) == '[{"n": 0}'
    assert next(text) == ',\n{"n": 1}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x89PNG", "<4 bytes>"),
        ({"bytes": b"12", "path": "x.png"}, {"bytes": "<2 bytes>", "path": "x.png"}),
        ([(1, None), b""], [[1, None], "<0 bytes>"]),
        (Decimal("1.5"), 1.5),
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_value_is_told_as_json_can(value, expected):
    """Bytes by their number; what JSON does not know as text."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


cells = st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(cells, cells)))
def test_csv_comes_back(rows):
    """Whatever the texts hold; null is empty."""
    file = io.StringIO(newline="")
    write_csv(["a", "b,"], rows, file)
    found = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert found[0] == ["a", "b,"]
    assert found[1:] == [["" if c is None else str(c) for c in row] for row in rows]


def test_csv_has_nested_values_as_json():
    """And no Python words."""
    file = io.StringIO()
    write_csv(["x"], [([1, None],), ({"ä": b"1"},), (True,), (0.5,)], file)
    assert list(csv.reader(io.StringIO(file.getvalue())))[1:] == [
        ["[1, null]"], ['{"ä": "<1 bytes>"}'], ["true"], ["0.5"]
    ]  # fmt: skip


def shown(columns, rows, most) -> str:
    console = Console(file=io.StringIO(), width=60)
    console.print(table_of(columns, rows, most, console))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_a_table_shows_the_first_rows_and_leaves_the_others():
    """So that one can see whether there are more."""
    rows = iter([(n,) for n in range(5)])
    assert "2" not in shown(["n"], rows, 2)
    assert next(rows) == (2,)


def test_a_terminal_is_shown_text_and_obeys_nothing():
    """Neither escape sequences nor the markup of our own tables, in columns or cells."""
    text = shown(["[red]a", "b\x1b[31m"], iter([("[/x]\x1b]0;x\x07", b"\x1b")]), 9)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]a" in text
    assert "[/x]" in text
    assert "<1 bytes>" in text


def test_what_is_too_wide_for_a_table_is_shown_as_records():
    """A line per column, each value whole, and markup and escape sequences are inert here too."""
    columns = [f"column_{n}" for n in range(9)] + ["[red]b\x1b[31m"]
    rows = [tuple(f"value-{row}-{n}" for n in range(10)) for row in range(2)]
    text = shown(columns, iter([*rows, rows[0]]), 2)
    lines = [line.split() for line in text.splitlines()]
    names = [*columns[:-1], "[red]b\ufffd[31m"]
    assert [line[:2] for line in lines if line[0] != "row"] == [
        list(pair) for row in rows for pair in zip(names, row, strict=True)
    ]
    assert [line[:2] for line in lines if line[0] == "row"] == [["row", "1"], ["row", "2"]]
    assert shown(columns, iter([]), 2) == "no rows\n"


def test_long_texts_are_wrapped_in_a_table():
    """Only words that do not fit make records of its rows."""
    text = shown(["a", "b"], iter([("word " * 30, "word " * 30)]), 9)
    assert "row 1" not in text
    assert text.count("word") == 60
    long = "w" * 150
    text = shown(["a", "b"], iter([(long, 1)]), 9)
    assert "row 1" in text
    assert text.count("w") == 150 + 1
