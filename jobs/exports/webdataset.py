"""Pictures in tar archives as WebDataset reads them."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.exports.entry import Entry
from jobs.exports.shards import runs
from manifests.files import write_whole

SHARD_BYTES = 512 * 2**20
"""Bound on the pictures of an archive, but for one that is larger by itself."""


def write_webdataset(
    entries: Iterable[Entry], output: Path, shard_bytes: int = SHARD_BYTES
) -> int:
    """Write archives fundiff-000000.tar ... of `<key>.json` and `<key>.png`; return the pictures.

    The same entries give the same bytes: the members have neither times nor owners.

    Args:
        entries: The pictures, in the order of the members.
        output: Folder to write to.
        shard_bytes: Bound on the pictures of an archive.
    """
    count = 0
    for number, shard in enumerate(runs(entries, lambda entry: len(entry.png), shard_bytes)):

        def write(path: Path, shard: Iterator[Entry] = shard) -> None:
            nonlocal count
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
                for entry in shard:
                    _add(archive, f"{entry.name}.json", _facts(entry))
                    _add(archive, f"{entry.name}.png", entry.png)
                    count += 1

        write_whole(output / f"fundiff-{number:06d}.tar", write)
    return count


def _facts(entry: Entry) -> bytes:
    """Return what is known of a picture; what is not is left out, so that a name has one type."""
    known = {name: value for name, value in entry.facts.items() if value not in (None, [])}
    return json.dumps(known, ensure_ascii=False).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))
