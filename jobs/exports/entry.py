"""One picture of an export, and all that is said of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from jobs.origin import origin_of
from jobs.pictures import best_pictures
from manifests.layout import RunFolder
from manifests.manifest import requests_by_id
from manifests.records import Request
from manifests.schemas import INDEX, MANIFEST
from manifests.upscaled import enlarged, read_enlarged

_POINTERS = {"error_type", "shard", "part", "row"}
_DRAWN = [field for field in INDEX if field.name not in _POINTERS]
_ASKED = [field for field in MANIFEST if field.name not in {*INDEX.names, "image", "mask"}]

FACTS = pa.schema(
    [
        pa.field("rank", pa.int32()),  # within the request, 1 is best
        *_DRAWN,
        *_ASKED,
        pa.field("run", pa.string()),
        pa.field("run_seed", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("stage_2_model", pa.string()),
        pa.field("upscaler", pa.string()),  # empty if the picture is stage I's or II's
        pa.field("judges", pa.list_(pa.string())),
        pa.field("held_out_judge", pa.string()),
        pa.field("code_version", pa.string()),
    ]
)
"""What every format says of a picture: its scores, what was asked for, and what drew it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of an export.

    Attributes:
        name: Of its file, without a suffix; nothing a user wrote is in it.
        facts: A value, or None, for each field of `FACTS`, in that order.
        png: The picture as it is stored, the largest there is.
    """

    name: str
    facts: Mapping[str, Any]
    png: bytes


def entries(folder: RunFolder, best: int, **filters: Any) -> Iterator[Entry]:
    """Yield the best candidates as `fundiff top` ranks them, upscaled ones as large as they are.

    Args:
        folder: A run with an index.
        best: Candidates per request.
        filters: As for `top`.
    """
    requests = requests_by_id(folder.manifest)
    origin = origin_of(folder)
    larger = enlarged(folder)
    for row, picture in best_pictures(folder, best, **filters):
        found = larger.get((row["request_id"], row["candidate"]))
        known = _settings(requests[row["request_id"]]) | row | origin
        known["upscaler"] = found.model if found else ""
        facts = {name: known[name] for name in FACTS.names}
        yield Entry(file_name(row), facts, read_enlarged(found) if found else picture)


def file_name(row: Mapping[str, Any]) -> str:
    """Return the name of a candidate's file, without a suffix."""
    return f"{row['request_id']}-{row['rank']:03d}-candidate-{row['candidate']:05d}"


def _settings(request: Request) -> dict[str, Any]:
    values = {field.name: getattr(request, field.name) for field in _ASKED}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
