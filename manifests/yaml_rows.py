"""Reads rows from YAML: a list of rows, or a document that multiplies pairs with styles."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from manifests.rows import RawRow, bad_row, did_you_mean, shorten

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_EXPANDED_ROWS = 1_000_000
YAML_KEYS = ("defaults", "rows", "pairs", "styles")


def read_yaml(text: str) -> Iterator[RawRow]:
    """Yield the rows of a YAML list, or of a document of pairs and styles."""
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
        yield bad_row(line, "", "", message, "check indentation and quotes")
        return
    # PyYAML lets these through where a tag and its text do not fit, as in `!!bool maybe`.
    except (
        yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
        RecursionError,
    ) as error:  # fmt: skip
        message = f"not YAML that can be read: {shorten(str(error))}"
        yield bad_row(1, "", "", message, "write plain lists, texts and numbers")
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
                return bad_row(line, "<<", "<<", "merge keys are not read", "write defaults:")
            name = str(key.value) if isinstance(key.value, str) else ""
            if name and name in names:
                shown = shorten(name)
                return bad_row(line, shown, shown, f"{shown!r} stands twice", "remove one")
            names.add(name)
            todo += [key, value]
    return None


def _yaml_rows(node: "Node", document: Any) -> Iterator[RawRow]:
    if isinstance(document, list):
        yield from _yaml_list(node, document, {})
        return
    if not isinstance(document, dict) or not set(document) & set(YAML_KEYS):
        message = f"neither a list of rows nor a document with {', '.join(YAML_KEYS)}"
        yield bad_row(1, "", document, message, "write '- kind: ...' for every row")
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
        yield bad_row(_line(nodes["pairs"]), "pairs", "", message, f"at most {MAX_EXPANDED_ROWS}")
        return
    for pair, pair_node in zip(pairs, nodes["pairs"].value if pairs else (), strict=True):
        fields = {**defaults, "prompts": pair}
        for style in [{"style": style} for style in styles] or [{}]:
            yield RawRow(_line(pair_node), {**fields, **style})


def _document_faults(node: "Node", document: dict[Any, Any]) -> Iterator[RawRow]:
    """Yield what is wrong with the outermost keys of a YAML document."""
    types = {"defaults": dict, "rows": list, "pairs": list, "styles": list}
    lines = {key.value: _line(key) for key, _ in node.value if isinstance(key.value, str)}
    for key, value in document.items():
        line, name = lines.get(key, 1) if isinstance(key, str) else 1, shorten(key)
        if key not in YAML_KEYS:
            remedy = did_you_mean(name, YAML_KEYS)
            yield bad_row(line, name, value, f"key {name!r} is unknown", remedy)
        elif value is not None and not isinstance(value, types[key]):
            want = "a mapping" if key == "defaults" else "a list"
            message = f"{key} must be {want}, not {type(value).__name__}"
            yield bad_row(line, name, value, message, f"write {want}")
    if document.get("styles") and not document.get("pairs"):
        yield bad_row(lines.get("styles", 1), "styles", "", "styles without pairs", "add pairs:")


def _yaml_list(node: "Node", rows: list[Any], defaults: dict[str, Any]) -> Iterator[RawRow]:
    for row, row_node in itertools.zip_longest(rows, node.value):
        line = _line(row_node)
        if isinstance(row, dict):
            yield RawRow(line, {**defaults, **row})
        else:
            message = f"row is not a mapping but {type(row).__name__}"
            yield bad_row(line, "", row, message, "write 'kind: ...' and 'prompts: [...]'")


def _line(node: "Node") -> int:
    return int(node.start_mark.line) + 1
