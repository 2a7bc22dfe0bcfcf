"""DuckDB over the files of a run: within a bounded memory, and with paths taken at their word."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MEMORY_LIMIT = "256MB"
"""What a query may hold in memory; what is more is spilled to disk."""

THREADS = 4
"""At most: each needs memory of its own, and a login node is shared."""


@contextmanager
def database(spill: Path | None = None) -> Iterator[Any]:
    """Yield a connection to an empty database in memory.

    Args:
        spill: Folder that is written to when the memory does not suffice; the system's folder
            for temporary files if None. Nothing of it is left.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix=".duckdb-", dir=spill) as folder:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(config=settings) as connection:
            (cores,) = connection.execute("select current_setting('threads')").fetchone()
            connection.execute(f"set threads = {min(cores, THREADS)}")
            yield connection


def literal(path: Path) -> str:
    """Return a path in which DuckDB sees no pattern: `a*b` would also read `axb`."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def as_text(value: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def quoted(path: Path) -> str:
    """Return a path as SQL writes it, without patterns."""
    return as_text(literal(path))
