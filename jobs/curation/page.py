"""The page: one template, one style sheet and the same scripts, for a server and for a file."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jobs.rendering import sha256, template

STYLE = "gallery.css"

SCRIPTS = (
    "elements.js",
    "source.js",
    "stage.js",
    "picks.js",
    "card.js",
    "feed.js",
    "filters.js",
    "dialogs.js",
    "keys.js",
    "gallery.js",
)
"""In the order in which they are read."""

SERVED_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the served page: nothing inline, nothing from elsewhere."""


@cache
def asset(name: str) -> str:
    """Return the text of the style sheet or a script."""
    return files("jobs").joinpath("templates", "gallery", name).read_text(encoding="utf-8")


def served_page(title: str, page: Mapping[str, Any]) -> str:
    """Return the page of a server, which loads everything else from there.

    Args:
        title: The run's name.
        page: What the scripts are told: `run`, `who`, `token`.
    """
    return _render(title=title, page={"served": True, **page}, script_names=SCRIPTS)


def whole_page(
    title: str,
    page: Mapping[str, Any],
    *,
    note: str = "",
    pages: Sequence[str] = (),
    number: int = 0,
) -> str:
    """Return a page that needs no server and loads nothing.

    Its pictures are data URIs, each there once, and its Content-Security-Policy allows its own
    scripts and style by hash and no others.

    Args:
        title: The heading.
        page: What the scripts are told: `run`, `catalogue`, `pictures`.
        note: A line below the heading.
        pages: File names of all pages of the gallery, if it has several.
        number: Which of them this one is, from 0.
    """
    scripts, style = [asset(name) for name in SCRIPTS], asset(STYLE)
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {' '.join(map(_hash, scripts))}; base-uri 'none'; form-action 'none'"
    )
    return _render(
        title=title,
        page={"served": False, "who": "you", **page},
        note=note,
        pages=pages,
        number=number,
        scripts=scripts,
        styles=[style],
        policy=policy,
    )


def _render(**values: Any) -> str:
    nothing = {"note": "", "pages": (), "number": 0, "scripts": (), "script_names": ()}
    return template("gallery.html.j2").render(nothing | {"styles": (), "policy": ""} | values)


def _hash(text: str) -> str:
    return f"'sha256-{sha256(text)}'"
