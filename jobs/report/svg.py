"""A matplotlib figure as SVG that can stand in a page under a strict Content-Security-Policy.

The file that matplotlib writes has its looks in `style` attributes, which such a policy forbids,
and fixed colours, which are wrong by night. Here looks become presentation attributes, and colours
are placeholders that the page's style sheet replaces: `[fill="#010101"] { fill: var(--ink) }`.
"""

import io
import re
from typing import Any
from xml.etree import ElementTree as ET

from manifests.kinds import KINDS

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"

COLOURS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    PAPER: "paper",
    **{f"#0500{number:02x}": kind for number, kind in enumerate(KINDS)},
}
"""Placeholder -> the page's variable that it stands for; each kind has its own."""

_OF_KIND = {name: placeholder for placeholder, name in COLOURS.items()}

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def colour_of(kind: str) -> str:
    """Return the placeholder of a kind's colour."""
    return _OF_KIND.get(kind, INK)


def inline_svg(figure: Any, label: str) -> str:
    """Return a figure as an SVG element; the same figure gives the same text.

    Args:
        figure: Of matplotlib, with an SVG canvas.
        label: What it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())
    used = set(re.findall(r"#([\w-]+)", buffer.getvalue()))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        attributes = dict(element.attrib)
        attributes |= _presentation(attributes.pop("style", ""))
        if attributes.get("id") not in used:
            attributes.pop("id", None)
        if link := attributes.pop(f"{{{_LINK}}}href", None):
            attributes["href"] = link
        element.attrib.clear()
        element.attrib.update(attributes)
    size = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    root.attrib.clear()
    root.attrib.update(size | {"stroke-linejoin": "round", "stroke-linecap": "butt"})
    return ET.tostring(root, encoding="unicode")


def _presentation(style: str) -> dict[str, str]:
    """Return a style's properties as attributes; of a font only its size."""
    found: dict[str, str] = {}
    for rule in filter(str.strip, style.split(";")):
        name, _, value = rule.partition(":")
        if name.strip() != "font":
            found[name.strip()] = value.strip()
        elif size := re.search(r"([\d.]+)px", value):
            found["font-size"] = size[1]
    return found
