"""Pictures as a Hugging Face dataset folder: Parquet files and a card."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from jobs.exports.entry import FACTS, Entry
from jobs.exports.shards import runs
from jobs.rendering import template
from manifests.files import write_bytes, write_whole
from manifests.schemas import PICTURE

SHARD_BYTES = 512 * 2**20
"""Bound on the pictures of a file, but for one that is larger by itself."""

GROUP_BYTES = 32 * 2**20
"""Bound on the pictures of a row group, likewise."""

_FIELDS = [pa.field("image", PICTURE), *(field.remove_metadata() for field in FACTS)]


def write_huggingface(
    entries: Iterable[Entry], output: Path, shard_bytes: int = SHARD_BYTES
) -> int:
    """Write data/train-*.parquet and README.md for `datasets.load_dataset`; return the pictures.

    Args:
        entries: The pictures, in the order of the rows.
        output: Folder to write to.
        shard_bytes: Bound on the pictures of a file.
    """
    (output / "data").mkdir()
    kinds: Counter[str] = Counter()
    size, origin = 0, dict[str, Any]()

    def noted(shard: Iterable[Entry]) -> Iterator[Entry]:
        nonlocal size, origin
        for entry in shard:
            kinds[entry.facts["kind"]] += 1
            size += len(entry.png)
            origin = dict(entry.facts)
            yield entry

    paths: list[Path] = []
    for number, shard in enumerate(runs(entries, _weight, shard_bytes)):
        paths.append(output / "data" / f"{number}.parquet")
        _write_shard(noted(shard), paths[-1])
    for number, path in enumerate(paths):
        path.rename(path.with_name(f"train-{number:05d}-of-{len(paths):05d}.parquet"))
    if paths:
        on_disk = sum(path.stat().st_size for path in (output / "data").iterdir())
        write_bytes(output / "README.md", card(origin, kinds, size, on_disk).encode())
    return kinds.total()


def _weight(entry: Entry) -> int:
    return len(entry.png)


def _write_shard(entries: Iterable[Entry], path: Path) -> None:
    schema = pa.schema(_FIELDS, {"huggingface": json.dumps({"info": {"features": _features()}})})

    def write(hidden: Path) -> None:
        with pq.ParquetWriter(hidden, schema, compression="zstd", write_page_index=True) as writer:
            for group in runs(entries, _weight, GROUP_BYTES):
                rows = [
                    {"image": {"bytes": entry.png, "path": f"{entry.name}.png"}, **entry.facts}
                    for entry in group
                ]
                writer.write_table(pa.Table.from_pylist(rows, schema))

    write_whole(path, write)


def _features() -> dict[str, Any]:
    """Return the columns as the schema's metadata names them to `datasets`."""
    return {
        field.name: {"_type": "Image"}
        if field.type == PICTURE
        else {"feature": _value(field.type.value_type), "_type": "List"}
        if pa.types.is_list(field.type)
        else _value(field.type)
        for field in _FIELDS
    }


def _value(type_: pa.DataType) -> dict[str, str]:
    return {"dtype": _dtype(type_), "_type": "Value"}


def _dtype(type_: pa.DataType) -> str:
    return "float64" if type_ == pa.float64() else str(type_)


def _yaml_features() -> list[dict[str, str]]:
    """Return the columns as a card's front matter names them."""
    return [
        {"name": field.name, "dtype": "image"}
        if field.type == PICTURE
        else {"name": field.name, "list": _dtype(field.type.value_type)}
        if pa.types.is_list(field.type)
        else {"name": field.name, "dtype": _dtype(field.type)}
        for field in _FIELDS
    ]


def card(origin: Mapping[str, Any], kinds: Mapping[str, int], size: int, on_disk: int) -> str:
    """Return the dataset's README.md.

    Args:
        origin: Facts of any of its pictures.
        kinds: Kind -> pictures.
        size: Bytes of the pictures.
        on_disk: Bytes of the Parquet files.
    """
    count = sum(kinds.values())
    front = {
        "license": "other",
        "license_name": "depends-on-the-model",
        "pretty_name": f"Visual illusions of {origin['run']}",
        "tags": ["image", "visual-illusions", "synthetic", "fundiff"],
        "size_categories": [size_category(count)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
            }
        ],
        "dataset_info": {
            "features": _yaml_features(),
            "splits": [{"name": "train", "num_bytes": size, "num_examples": count}],
            "download_size": on_disk,
            "dataset_size": size,
        },
    }
    return template("dataset_card.md.j2", code=_code).render(
        front=yaml.safe_dump(front, sort_keys=False, allow_unicode=True),
        origin=origin,
        kinds=kinds,
        count=count,
    )


def size_category(count: int) -> str:
    """Return the hub's word for so many rows."""
    bounds = {"1K": 10**3, "10K": 10**4, "100K": 10**5, "1M": 10**6, "10M": 10**7, "100M": 10**8}
    below = "n"
    for name, bound in bounds.items():
        if count < bound:
            return f"{below}<n<{name}" if below != "n" else f"n<{name}"
        below = name
    return f"n>{below}"


def _code(text: str) -> str:
    """Return a name as Markdown shows it literally."""
    return f"`{text.replace('`', '')}`"
