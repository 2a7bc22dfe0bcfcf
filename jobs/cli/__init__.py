"""The command `fundiff`: each command parses, calls one function and prints."""

from jobs.cli import looking, running, tables
from jobs.cli.common import main

__all__ = ["looking", "main", "running", "tables"]
