"""Records to Parquet and back: nothing is dropped, nothing is null that may not be."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import write_whole
from manifests.records import Picture
from manifests.schemas import PICTURE, SCHEMA_VERSION

ROW_GROUP_BYTES = 64 * 2**20
"""Bound on the pictures of a row group, so that one can be read without the whole file."""


def write_table(records: Sequence[Any], schema: pa.Schema, path: Path) -> None:
    """Write dataclass records as a Parquet file of this schema, whole or not at all.

    Raises:
        ValueError: If a record's fields are not the schema's, or one that may not be null is.
    """
    pictures = [f.name for f in schema if f.type == PICTURE]

    def write(hidden: Path) -> None:
        with pq.ParquetWriter(
            hidden,
            schema,
            # A PNG does not shrink; plain and uncompressed, it is read without a copy.
            compression={
                name: "none" if name.removesuffix(".bytes") in pictures else "zstd"
                for name in _leaves(schema)
            },
            use_dictionary=[f.name for f in schema if f.type == pa.string()],
            write_page_index=True,
        ) as writer:
            for group in _row_groups(records, pictures):
                writer.write_table(_to_table(group, schema))

    write_whole(path, write)


def _row_groups(records: Sequence[Any], pictures: list[str]) -> Iterator[Sequence[Any]]:
    """Yield runs of records whose pictures stay below the bound, but for single ones above it."""
    start = size = 0
    for stop, record in enumerate(records):
        found = (getattr(record, name) for name in pictures)
        weight = sum(len(picture.bytes) for picture in found if picture)
        if stop > start and size + weight > ROW_GROUP_BYTES:
            yield records[start:stop]
            start, size = stop, 0
        size += weight
    if start < len(records):
        yield records[start:]


def _to_table(records: Sequence[Any], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_pylist([_row(record, schema) for record in records], schema=schema)
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"column {field.name!r} holds null, which its schema forbids")
    return table


def read_rows(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a Parquet file of this schema, or some columns of it.

    Raises:
        ValueError: If it is no Parquet file, torn, another table, or of another schema version.
    """
    with open_table(path, schema) as file, _named(path):
        return file.read(columns=None if columns is None else list(columns))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in one line which file could not be read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is no whole Parquet file: {str(error).splitlines()[0]}"
        ) from error


def open_table(path: Path, schema: pa.Schema) -> pq.ParquetFile:
    """Return an open Parquet file after checking that it is what it should be.

    Raises:
        ValueError: If it is no Parquet file, torn, another table, or of another schema version.
    """
    with _named(path):
        file = pq.ParquetFile(path)
    try:
        _require(file.schema_arrow, schema, path)
    except ValueError:
        file.close()
        raise
    return file


def _require(found: pa.Schema, schema: pa.Schema, path: Path) -> None:
    """Refuse another table, another version, other columns."""
    metadata = found.metadata or {}
    table = schema.metadata[b"fundiff_table"]
    if metadata.get(b"fundiff_table") != table:
        raise ValueError(
            f"{path} is not a fundiff {table.decode()}; make one with `fundiff manifest build`"
        )
    version = metadata.get(b"schema_version", b"?").decode(errors="replace")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has schema_version {version}, this fundiff reads {SCHEMA_VERSION}; "
            "build it again"
        )
    if not found.equals(schema):
        raise ValueError(
            f"{path} has other columns than a fundiff {table.decode()}; build it again"
        )


def to_records(table: pa.Table, record: type[Any]) -> Iterable[Any]:
    """Yield the rows of a table as dataclass records."""
    for row in table.to_pylist():
        yield to_record(row, record)


def to_record(row: dict[str, Any], record: type[Any]) -> Any:
    """Return one row of a table, as a dict, as a dataclass record."""
    return record(**{name: _value(value) for name, value in row.items()})


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
