"""Finished runs whose numbers are written down instead of drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.config import RunConfig, code_version
from jobs.planning import plan_run
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.records import Candidate, Request
from manifests.results import Marker, collect, publish_marker, write_part


def finished(
    path: Path, requests: Sequence[Request], rows: Sequence[Candidate], **config: Any
) -> RunFolder:
    """A run of one shard that came to these rows, with its index."""
    folder = RunFolder(path)
    asked = RunConfig("mini", code_version=code_version(), **config)
    plan_run(list(requests), folder, asked, len(requests))
    if rows:
        write_part(folder, 0, "attempt", rows)
    files, _ = collect(folder, 0)
    publish_marker(folder, Marker(0, "attempt", files, len(rows)))
    build_index(folder)
    return folder
