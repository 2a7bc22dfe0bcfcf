"""The command `fundiff`: each command parses, calls one function and prints."""

from jobs.cli import calibrating, exporting, judging, ranking, running, showing, tables
from jobs.cli.common import main

__all__ = [
    "calibrating",
    "exporting",
    "judging",
    "main",
    "ranking",
    "running",
    "showing",
    "tables",
]
