"""The command `fundiff`: each command parses, calls one function and prints."""

from jobs.cli import exporting, ranking, running, showing, tables
from jobs.cli.common import main

__all__ = ["exporting", "main", "ranking", "running", "showing", "tables"]
