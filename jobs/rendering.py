"""The templates of pages and cards: nothing undefined is passed over, and HTML is escaped."""

import base64
import hashlib
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str, **filters: Callable[[str], str]) -> Template:
    """Return a template of `jobs/templates`; what is filled into HTML is escaped.

    Args:
        name: Of the file.
        filters: Functions that it uses, by name.
    """
    environment = Environment(
        loader=PackageLoader("jobs"),
        autoescape=".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.get_template(name)


def sha256(text: str) -> str:
    """Return the hash by which a Content-Security-Policy names a text."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
