"""The manifest: the table of requests."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from manifests.images import require_stored
from manifests.records import Request
from manifests.schemas import MANIFEST
from manifests.tables import open_table, read_rows, to_record, to_records, write_table


def write_manifest(requests: Sequence[Request], path: Path) -> None:
    """Write a manifest, whole or not at all; the same requests give the same bytes."""
    write_table(requests, MANIFEST, path)


def read_manifest(path: Path) -> list[Request]:
    """Return all requests.

    Raises:
        ValueError: If the file is no manifest of this version.
    """
    return list(to_records(read_rows(path, MANIFEST), Request))


def requests_by_id(path: Path) -> dict[str, Request]:
    """Return all requests by their id; errors as in `read_manifest`."""
    return {request.request_id: request for request in read_manifest(path)}


def read_manifest_rows(path: Path) -> Iterator[Request | ValueError]:
    """Yield every request of a manifest that anybody may have written, or what is wrong with it.

    Raises:
        ValueError: If the file is no manifest of this version.
    """
    for row in read_rows(path, MANIFEST).to_pylist():
        try:
            request = to_record(row, Request)
            if request.image is not None:
                require_stored(request.image, request.mask)
            yield request
        except ValueError as error:
            yield error
        except (TypeError, AttributeError) as error:  # a null within a list, say
            yield ValueError(f"the row holds values of wrong types: {error}")


def read_requests(path: Path, start: int, stop: int) -> list[Request]:
    """Return the requests of rows start to stop - 1, reading only the row groups they lie in.

    Raises:
        ValueError: If the file is no manifest of this version.
    """
    with open_table(path, MANIFEST) as file:
        groups, offset, first = [], 0, None
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if offset < stop and offset + rows > start:
                groups.append(group)
                first = offset if first is None else first
            offset += rows
        if first is None:
            return []
        table: pa.Table = file.read_row_groups(groups)
    return list(to_records(table.slice(start - first, stop - start), Request))


def count_requests(path: Path) -> int:
    """Return the number of requests, from the file's footer.

    Raises:
        ValueError: If the file is no manifest of this version.
    """
    with open_table(path, MANIFEST) as file:
        return int(file.metadata.num_rows)


def prompts_of(path: Path) -> list[str]:
    """Return every text that the run needs encoded, once: full prompts and negative prompts."""
    table = read_rows(path, MANIFEST, ["prompts", "style", "negative_prompt"])
    texts: dict[str, None] = {}
    for row in table.to_pylist():
        texts |= {f"{row['style']} {prompt}".strip(): None for prompt in row["prompts"]}
        texts[row["negative_prompt"]] = None
    return list(texts)
