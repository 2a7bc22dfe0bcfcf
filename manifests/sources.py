"""Reads what people write requests in: CSV, JSONL or YAML, one request per row."""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.check import (
    COLUMNS,
    LIST_COLUMNS,
    NUMBER_COLUMNS,
    Problem,
    did_you_mean,
    shorten,
    split_cell,
)

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_TEXT_BYTES = 512 * 1024 * 1024
# YAML is read slowly and in memory; a manifest of more rows belongs in CSV or JSONL.
MAX_YAML_BYTES = 4 * 1024 * 1024
MAX_EXPANDED_ROWS = 1_000_000
YAML_KEYS = ("defaults", "rows", "pairs", "styles")


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it was read: its first line, its fields by column, and what was wrong so far.

    A problem of the whole file is a row without fields. `check_rows` hands all problems on.
    """

    line: int
    fields: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def read_source(path: Path) -> list[RawRow]:
    """Return the rows of a CSV, JSONL or YAML file; what is wrong stands in their `problems`.

    In CSV, `|` separates the entries of prompts, views and tags; an empty cell is not given. YAML
    holds a list of rows, or a document of `defaults` (fields of every row), `rows`, and `pairs`
    (lists of prompts), each pair with each of `styles`.
    """
    readers = {
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".yaml": _read_yaml,
        ".yml": _read_yaml,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        return [_problem(1, "", path.name, f"suffix {suffix!r} is unknown", _suffixes(readers))]
    text = _read_text(path, MAX_YAML_BYTES if readers[suffix] is _read_yaml else MAX_TEXT_BYTES)
    if isinstance(text, RawRow):
        return [text]
    rows = list(readers[suffix](text))
    return rows or [_problem(1, "", "", "the file holds no rows", "write one row per request")]


def expand_styles(rows: Sequence[RawRow], styles: Sequence[str]) -> list[RawRow]:
    """Return every row with every style, in place of its own; the rows themselves if no styles."""
    expanded: list[RawRow] = []
    for row in rows:
        if styles and row.fields:
            expanded += [replace(row, fields={**row.fields, "style": style}) for style in styles]
        else:
            expanded.append(row)
    return expanded


def _problem(line: int, column: str, value: object, message: str, remedy: str) -> RawRow:
    """Return a row without fields that carries one error."""
    return RawRow(line, {}, (Problem(line, column, shorten(value), message, remedy),))


def _suffixes(readers: dict[str, Any]) -> str:
    return f"name the file {', '.join('*' + suffix for suffix in readers)}"


def _read_text(path: Path, max_bytes: int) -> str | RawRow:
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        return _problem(1, "", str(path), f"the file cannot be read: {error}", "check the path")
    if len(data) > max_bytes:
        message = f"the file is larger than {max_bytes // 1024**2} MB"
        return _problem(1, "", path.name, message, "split it, or write CSV or JSONL")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        value = f"byte 0x{data[error.start]:02x}"
        return _problem(line, "", value, "the file is not UTF-8", "save it as UTF-8")
    if not text.strip():
        return _problem(1, "", "", "the file is empty", "write one row per request")
    return text


def _read_csv(text: str) -> Iterator[RawRow]:
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
            yield _problem(
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
        yield _problem(line, "", "", f"the CSV breaks off here: {error}", "check the quotes")


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
        return _problem(line, "", ",".join(cells), message, remedy)
    fields: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        value = cell.strip()
        # A header's faults are named once, not in every row.
        if value and name in COLUMNS:
            fields[name] = _csv_value(name, value)
    return RawRow(line, fields)


def _csv_value(column: str, cell: str) -> Any:
    """Return a list, a number or text, as the column wants; text if it is no number."""
    if column in LIST_COLUMNS:
        return split_cell(cell)
    if column in NUMBER_COLUMNS and cell.isascii() and "_" not in cell:
        try:
            return int(cell) if re.fullmatch(r"[+-]?\d+", cell) else float(cell)
        except ValueError:
            return cell
    return cell


def _read_jsonl(text: str) -> Iterator[RawRow]:
    # str.splitlines would also cut at characters that JSON allows inside a string.
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield _json_row(line, content)


def _json_row(line: int, content: str) -> RawRow:
    twice: list[str] = []

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                twice.append(name)
            names.add(name)
        return dict(pairs)

    try:
        row = json.loads(content, object_pairs_hook=to_dict)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} at character {error.pos + 1}"
        return _problem(line, "", content, message, "write one JSON object per line")
    except (ValueError, RecursionError):
        message = "not JSON that can be read: a number or a nesting without end"
        return _problem(line, "", content, message, "write one JSON object per line")
    if not isinstance(row, dict):
        message = f"not an object but {type(row).__name__}"
        return _problem(line, "", content, message, 'write {"kind": ..., "prompts": [...]}')
    if twice:
        name = shorten(twice[0])
        return _problem(line, name, content, f"{name!r} stands twice", "remove one of them")
    return RawRow(line, row)


def _read_yaml(text: str) -> Iterator[RawRow]:
    import yaml

    # What yaml.safe_load does, with a look at the nodes between its two halves.
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return
        if fault := _yaml_fault(node):
            yield fault
            return
        document = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"not valid YAML: {error.problem or error.context}"
        yield _problem(line, "", "", message, "check indentation and quotes")
        return
    # PyYAML lets these through where a tag and its text do not fit, as in `!!bool maybe`.
    except (
        yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
        RecursionError,
    ) as error:  # fmt: skip
        message = f"not YAML that can be read: {shorten(str(error))}"
        yield _problem(1, "", "", message, "write plain lists, texts and numbers")
        return
    yield from _yaml_rows(node, document)


def _yaml_fault(root: "Node") -> RawRow | None:
    """Return the first key that stands twice, or that merges others, or None."""
    from yaml.nodes import CollectionNode, MappingNode

    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, CollectionNode):
            continue
        if not isinstance(node, MappingNode):
            todo += node.value
            continue
        names: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            # Merged anchors can grow without bound.
            if key.tag == "tag:yaml.org,2002:merge":
                return _problem(line, "<<", "<<", "merge keys are not read", "write defaults:")
            name = str(key.value) if isinstance(key.value, str) else ""
            if name and name in names:
                shown = shorten(name)
                return _problem(line, shown, shown, f"{shown!r} stands twice", "remove one")
            names.add(name)
            todo += [key, value]
    return None


def _yaml_rows(node: "Node", document: Any) -> Iterator[RawRow]:
    if isinstance(document, list):
        yield from _yaml_list(node, document, {})
        return
    if not isinstance(document, dict) or not set(document) & set(YAML_KEYS):
        message = f"neither a list of rows nor a document with {', '.join(YAML_KEYS)}"
        yield _problem(1, "", document, message, "write '- kind: ...' for every row")
        return
    nodes = {key.value: value for key, value in node.value if isinstance(key.value, str)}
    faults = list(_document_faults(node, document))
    yield from faults
    if faults:
        return
    defaults = document.get("defaults") or {}
    if rows := document.get("rows"):
        yield from _yaml_list(nodes["rows"], rows, defaults)
    pairs, styles = document.get("pairs") or [], document.get("styles") or []
    if len(pairs) * len(styles) > MAX_EXPANDED_ROWS:
        message = f"{len(pairs)} pairs x {len(styles)} styles are too many rows"
        yield _problem(_line(nodes["pairs"]), "pairs", "", message, f"at most {MAX_EXPANDED_ROWS}")
        return
    for pair, pair_node in zip(pairs, nodes["pairs"].value if pairs else (), strict=True):
        row = RawRow(_line(pair_node), {**defaults, "prompts": pair})
        yield from expand_styles([row], styles)


def _document_faults(node: "Node", document: dict[Any, Any]) -> Iterator[RawRow]:
    """Yield what is wrong with the outermost keys of a YAML document."""
    types = {"defaults": dict, "rows": list, "pairs": list, "styles": list}
    lines = {key.value: _line(key) for key, _ in node.value if isinstance(key.value, str)}
    for key, value in document.items():
        line, name = lines.get(key, 1) if isinstance(key, str) else 1, shorten(key)
        if key not in YAML_KEYS:
            remedy = did_you_mean(name, YAML_KEYS)
            yield _problem(line, name, value, f"key {name!r} is unknown", remedy)
        elif value is not None and not isinstance(value, types[key]):
            want = "a mapping" if key == "defaults" else "a list"
            message = f"{key} must be {want}, not {type(value).__name__}"
            yield _problem(line, name, value, message, f"write {want}")
    if document.get("styles") and not document.get("pairs"):
        yield _problem(lines.get("styles", 1), "styles", "", "styles without pairs", "add pairs:")


def _yaml_list(node: "Node", rows: list[Any], defaults: dict[str, Any]) -> Iterator[RawRow]:
    for row, row_node in itertools.zip_longest(rows, node.value):
        line = _line(row_node)
        if isinstance(row, dict):
            yield RawRow(line, {**defaults, **row})
        else:
            message = f"row is not a mapping but {type(row).__name__}"
            yield _problem(line, "", row, message, "write 'kind: ...' and 'prompts: [...]'")


def _line(node: "Node") -> int:
    return int(node.start_mark.line) + 1
