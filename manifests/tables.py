"""Records to Parquet and back: nothing is dropped, nothing is null that may not be."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import write_whole
from manifests.records import Picture
from manifests.schemas import PICTURE, SCHEMA_VERSION

ROW_GROUP_BYTES = 64 * 2**20
"""Row groups of about this size, so that a viewer can read one picture without the file."""


def write_table(records: Sequence[Any], schema: pa.Schema, path: Path) -> None:
    """Write dataclass records as a Parquet file of this schema, whole or not at all.

    Raises:
        ValueError: If a record's fields are not the schema's, or one that may not be null is.
    """
    rows = [_row(record, schema) for record in records]
    table = pa.Table.from_pylist(rows, schema=schema)
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"column {field.name!r} holds null, which its schema forbids")
    pictures = [f"{f.name}.bytes" for f in schema if f.type == PICTURE]
    group = max(1, min(len(rows), len(rows) * ROW_GROUP_BYTES // max(table.nbytes, 1)))
    write_whole(
        path,
        lambda hidden: pq.write_table(
            table,
            hidden,
            row_group_size=group,
            compression={name: _codec(name, pictures) for name in _leaves(schema)},
            use_dictionary=[f.name for f in schema if f.type == pa.string()],
            write_page_index=True,
        ),
    )


def read_rows(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a Parquet file of this schema, or some columns of it.

    Raises:
        ValueError: If it is no Parquet file, torn, another table, or of another schema version.
    """
    with open_table(path, schema) as file:
        return file.read(columns=None if columns is None else list(columns))


def open_table(path: Path, schema: pa.Schema) -> pq.ParquetFile:
    """Return an open Parquet file after checking that it is what it should be.

    Raises:
        ValueError: If it is no Parquet file, torn, another table, or of another schema version.
    """
    try:
        file = pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path} is no whole Parquet file: {str(error).splitlines()[0]}"
        ) from error
    found = file.schema_arrow.metadata or {}
    table = schema.metadata[b"fundiff_table"]
    if found.get(b"fundiff_table") != table:
        file.close()
        raise ValueError(
            f"{path} is not a fundiff {table.decode()}; make one with `fundiff manifest build`"
        )
    version = found.get(b"schema_version", b"?").decode()
    if version != SCHEMA_VERSION:
        file.close()
        raise ValueError(
            f"{path} has schema_version {version}, this fundiff reads {SCHEMA_VERSION}; "
            "build it again"
        )
    return file


def to_records(table: pa.Table, record: type[Any]) -> Iterable[Any]:
    """Yield the rows of a table as dataclass records."""
    for row in table.to_pylist():
        yield record(**{name: _value(value) for name, value in row.items()})


def _row(record: Any, schema: pa.Schema) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(record)}
    if names != set(schema.names):
        raise ValueError(f"record and schema differ in {sorted(names ^ set(schema.names))}")
    return {name: _plain(getattr(record, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, Picture):
        return {"bytes": value.bytes, "path": value.path}
    return list(value) if isinstance(value, tuple) else value


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return Picture(value["bytes"], value["path"])
    return tuple(value) if isinstance(value, list) else value


def _leaves(schema: pa.Schema) -> list[str]:
    """Return the names of the file's columns, as Parquet spells nested ones."""
    names: list[str] = []
    for field in schema:
        if field.type == PICTURE:
            names += [f"{field.name}.bytes", f"{field.name}.path"]
        elif pa.types.is_list(field.type):
            names.append(f"{field.name}.list.element")
        else:
            names.append(field.name)
    return names


def _codec(name: str, pictures: list[str]) -> str:
    return "none" if name in pictures else "zstd"  # a PNG does not shrink
