"""Reads what people write requests in: CSV, JSONL or YAML, one request per row."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manifests.csv_rows import read_csv
from manifests.json_rows import read_jsonl
from manifests.rows import RawRow, bad_row
from manifests.yaml_rows import read_yaml

MAX_TEXT_BYTES = 512 * 1024 * 1024
# YAML is read slowly and in memory; a manifest of more rows belongs in CSV or JSONL.
MAX_YAML_BYTES = 4 * 1024 * 1024


def read_source(path: Path) -> list[RawRow]:
    """Return the rows of a CSV, JSONL or YAML file; what is wrong stands in their `problems`.

    In CSV, `|` separates the entries of prompts, views and tags; an empty cell is not given. YAML
    holds a list of rows, or a document of `defaults` (fields of every row), `rows`, and `pairs`
    (lists of prompts), each pair with each of `styles`.
    """
    readers = {
        ".csv": read_csv,
        ".jsonl": read_jsonl,
        ".ndjson": read_jsonl,
        ".yaml": read_yaml,
        ".yml": read_yaml,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        return [bad_row(1, "", path.name, f"suffix {suffix!r} is unknown", _suffixes(readers))]
    text = _read_text(path, MAX_YAML_BYTES if readers[suffix] is read_yaml else MAX_TEXT_BYTES)
    if isinstance(text, RawRow):
        return [text]
    rows = list(readers[suffix](text))
    return rows or [bad_row(1, "", "", "the file holds no rows", "write one row per request")]


def expand_styles(rows: Sequence[RawRow], styles: Sequence[str]) -> list[RawRow]:
    """Return every row with every style, in place of its own; the rows themselves if no styles."""
    expanded: list[RawRow] = []
    for row in rows:
        if styles and row.fields:
            expanded += [replace(row, fields={**row.fields, "style": style}) for style in styles]
        else:
            expanded.append(row)
    return expanded


def _suffixes(readers: dict[str, Any]) -> str:
    return f"name the file {', '.join('*' + suffix for suffix in readers)}"


def _read_text(path: Path, max_bytes: int) -> str | RawRow:
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        return bad_row(1, "", str(path), f"the file cannot be read: {error}", "check the path")
    if len(data) > max_bytes:
        message = f"the file is larger than {max_bytes // 1024**2} MB"
        return bad_row(1, "", path.name, message, "split it, or write CSV or JSONL")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        value = f"byte 0x{data[error.start]:02x}"
        return bad_row(line, "", value, "the file is not UTF-8", "save it as UTF-8")
    if not text.strip():
        return bad_row(1, "", "", "the file is empty", "write one row per request")
    return text
