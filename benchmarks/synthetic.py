"""A run as large as one likes, made of numbers: its pictures are missing, all else is there."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import sha256_file
from manifests.layout import RunFolder
from manifests.results import Marker, PartFile
from manifests.schemas import MANIFEST, RESULTS

CANDIDATES = 16
"""Per request; the best four of them have been through stage II."""

REQUESTS_PER_SHARD = 64

EMBEDDING = 64
"""Width of the embeddings, where there are any."""


def make_run(folder: RunFolder, rows: int, embeddings: bool = False, seed: int = 0) -> None:
    """Write manifest, results and markers of a finished run.

    Args:
        folder: A new folder.
        rows: Candidates, rounded down to whole shards.
        embeddings: Whether each candidate has an embedding.
        seed: Of the scores.
    """
    folder.create()
    random = np.random.default_rng(seed)
    shards = max(1, rows // (CANDIDATES * REQUESTS_PER_SHARD))
    ids = random.bytes(8 * shards * REQUESTS_PER_SHARD).hex()
    requests = [ids[i : i + 16] for i in range(0, len(ids), 16)]
    _write_manifest(requests, folder.manifest)
    for shard in range(shards):
        own = requests[shard * REQUESTS_PER_SHARD : (shard + 1) * REQUESTS_PER_SHARD]
        path = folder.shard(shard) / "part-a-0.parquet"
        path.parent.mkdir()
        pq.write_table(_results(own, shard, embeddings, random), path, compression="zstd")
        file = PartFile(path.name, len(own) * CANDIDATES, sha256_file(path))
        marker = Marker(shard, "a", (file,), file.rows)
        folder.done(shard).write_text(json.dumps(asdict(marker)))


def _write_manifest(requests: list[str], path: Path) -> None:
    with pq.ParquetWriter(path, MANIFEST, compression="zstd") as writer:
        for start, some in _groups(requests, 2**16):
            numbers = range(start, start + len(some))
            columns = {
                "request_id": some,
                "kind": ["anagram" if n % 2 else "hybrid" for n in numbers],
                "prompts": [["a skull", f"picture {n}"] for n in numbers],
                "views": [["identity", "flip"]] * len(some),
                "tags": [[f"night-{n % 8}"] for n in numbers],
            }
            writer.write_table(_table(columns, MANIFEST, len(some)))


def _results(requests: list[str], shard: int, embeddings: bool, random: Any) -> pa.Table:
    """Return the candidates of one shard."""
    rows = len(requests) * CANDIDATES
    score = random.normal(0.28, 0.03, (len(requests), CANDIDATES))
    order = np.argsort(-score).argsort()
    widths = EMBEDDING if embeddings else 0
    vectors = random.normal(size=(rows, widths)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if embeddings else 1
    columns: dict[str, Any] = {
        "request_id": np.repeat(requests, CANDIDATES),
        "candidate": np.tile(np.arange(CANDIDATES), len(requests)),
        "kind": np.repeat(["hybrid", "anagram"] * (len(requests) // 2), CANDIDATES),
        "status": np.where(order.ravel() == 0, "accepted", "rejected"),
        "reason": np.where(order.ravel() == 0, "", "not among the best"),
        "stage": np.where(order.ravel() < 4, 2, 1),
        "seed": random.integers(0, 2**63, rows),
        "score": score.ravel(),
        "mean_rank": np.where(order < 4, order + 1, order - 3).ravel().astype(float),
        "embedding": pa.ListArray.from_arrays(
            pa.array(np.arange(rows + 1) * widths, pa.int32()), pa.array(vectors.ravel())
        ),
        "shard": np.full(rows, shard),
    }
    numbers = ("stage_1_score", "alignment", "concealment", "split")
    columns |= {name: random.normal(0.28, 0.03, rows) for name in numbers}
    return _table(columns, RESULTS, rows)


def _table(columns: dict[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """Return a table of these columns; the others are null, empty, or 1."""
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name]).cast(field.type))
        elif field.nullable:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(pa.array([_plain(field.type)] * rows, field.type))
    return pa.table(arrays, schema)


def _plain(type_: pa.DataType) -> Any:
    if pa.types.is_list(type_):
        return []
    return "x" if pa.types.is_string(type_) else 1


def _groups(items: list[str], size: int) -> Iterator[tuple[int, list[str]]]:
    for start in range(0, len(items), size):
        yield start, items[start : start + size]
