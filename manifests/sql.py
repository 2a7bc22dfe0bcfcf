"""SQL over the tables of a run: every question, and no way to change or to leave the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from manifests.database import as_text, database, literal, quoted
from manifests.index import require_index
from manifests.layout import RunFolder
from manifests.results import marked_parts
from manifests.schemas import INDEX, MANIFEST, PICKS, RESULTS, SCORES, UPSCALED
from manifests.scores import score_parts


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be asked for.

    Attributes:
        schema: Its columns, with their descriptions.
        files: The Parquet files that it is read from.
    """

    schema: pa.Schema
    files: list[Path]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives.

    Attributes:
        columns: Their names.
        rows: Their values, read as they are asked for.
    """

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


def tables(folder: RunFolder) -> dict[str, Table]:
    """Return the tables that a run has rows of, by name.

    Raises:
        ValueError: If there is no index yet.
    """
    require_index(folder)
    upscaled = sorted(folder.upscaled.glob("part-*.parquet"))
    scores = [part for parts in score_parts(folder).values() for part in parts]
    picks = [folder.picks] if folder.picks.is_file() else []
    found = {
        "candidates": Table(INDEX, [folder.index]),
        "requests": Table(MANIFEST, [folder.manifest]),
        "results": Table(RESULTS, list(marked_parts(folder))),
        "scores": Table(SCORES, scores),
        "picks": Table(PICKS, picks),
        "upscaled": Table(UPSCALED, upscaled),
    }
    return {name: table for name, table in found.items() if table.files}


def columns_of(folder: RunFolder) -> Answer:
    """Return what one can ask for: every column of the tables of a run.

    Raises:
        ValueError: If there is no index yet.
    """
    rows = (
        (name, field.name, str(field.type), field.metadata[b"description"].decode())
        for name, table in tables(folder).items()
        for field in table.schema
    )
    return Answer(["table", "column", "type", "meaning"], rows)


@contextmanager
def ask(folder: RunFolder, query: str) -> Iterator[Answer]:
    """Yield the answer to a query over the `tables` of a run.

    Args:
        folder: A run with an index.
        query: One SELECT in DuckDB's SQL. It reads the tables' own columns only as far as it
            names them: pictures that it does not select are not read.

    Raises:
        ValueError: If it is anything else, or there is something wrong with it.
    """
    import duckdb

    with database() as connection:
        files: list[str] = []
        for name, table in tables(folder).items():
            paths = ", ".join(map(quoted, table.files))
            connection.execute(f"create view {name} as from read_parquet([{paths}])")
            files += map(str, table.files)
        _lock(connection, files)
        try:
            _require_select(connection, query)
            relation = connection.execute(query)
            columns = [column[0] for column in relation.description]
            yield Answer(columns, _rows(relation))
        except duckdb.Error as error:
            raise ValueError(_one_line(error)) from error


def _lock(connection: Any, files: list[str]) -> None:
    """Leave nothing open but these files, and no way to open more."""
    allowed = [*files, *(literal(Path(file)) for file in files)]
    connection.execute(f"set allowed_paths = [{', '.join(map(as_text, allowed))}]")
    connection.execute("set enable_external_access = false; set lock_configuration = true")


def _require_select(connection: Any, query: str) -> None:
    """Refuse all but one SELECT: an allowed file could otherwise be written over."""
    from duckdb import StatementType

    types = [statement.type for statement in connection.extract_statements(query)]
    if types != [StatementType.SELECT]:
        got = " and ".join(each.name for each in types) or "nothing"
        raise ValueError(f"the query is {got}; a run is only read, so give one SELECT")


def _rows(result: Any) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(2**10):
        yield from rows


def _one_line(error: Exception) -> str:
    """Return what DuckDB says without the query, which the user has just typed."""
    said = str(error).partition("\nLINE ")[0]
    return " ".join(said.split())
