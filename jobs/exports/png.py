"""Pictures as PNG files that say what they are."""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from jobs.exports.entry import Entry
from jobs.pictures import image_of
from manifests.files import write_bytes


def write_png(entries: Iterable[Entry], output: Path) -> int:
    """Write a PNG file per picture; return how many.

    The pixels are those that are stored. Three text chunks (iTXt, UTF-8) say what it is:
    `Description` in words, `Software`, and under `fundiff` all facts as JSON.
    """
    count = 0
    for entry in entries:
        write_bytes(output / f"{entry.name}.png", labelled(entry))
        count += 1
    return count


def labelled(entry: Entry) -> bytes:
    """Return a picture's PNG file with its facts in text chunks."""
    info = PngInfo()
    info.add_itxt("Description", describe(entry.facts))
    info.add_itxt("Software", f"fundiff {entry.facts['code_version']}".strip())
    info.add_itxt("fundiff", json.dumps(entry.facts, ensure_ascii=False))
    buffer = io.BytesIO()
    image_of(entry.png).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def describe(facts: Mapping[str, Any]) -> str:
    """Return in words what a picture shows."""
    seen = zip(facts["prompts"], facts["views"], strict=True)
    shown = ", ".join(f"{prompt} ({view})" for prompt, view in seen)
    style = f"{facts['style']} " if facts["style"] else ""
    return f"{facts['kind']}: {style}{shown}"
