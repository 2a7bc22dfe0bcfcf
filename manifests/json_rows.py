"""Reads rows from JSONL: one JSON object per line."""

import json
from collections.abc import Iterator
from typing import Any

from manifests.rows import RawRow, bad_row, shorten


def read_jsonl(text: str) -> Iterator[RawRow]:
    """Yield the row of every line that is not blank."""
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
        return bad_row(line, "", content, message, "write one JSON object per line")
    except (ValueError, RecursionError):
        message = "not JSON that can be read: a number or a nesting without end"
        return bad_row(line, "", content, message, "write one JSON object per line")
    if not isinstance(row, dict):
        message = f"not an object but {type(row).__name__}"
        return bad_row(line, "", content, message, 'write {"kind": ..., "prompts": [...]}')
    if twice:
        name = shorten(twice[0])
        return bad_row(line, name, content, f"{name!r} stands twice", "remove one of them")
    return RawRow(line, row)
