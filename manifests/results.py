"""What the workers write: parts with finished rows, drafts with undecided ones, markers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from manifests.files import publish, read_json, sha256_file
from manifests.layout import RunFolder
from manifests.records import Candidate
from manifests.schemas import RESULTS
from manifests.tables import read_rows as read_table
from manifests.tables import to_records, write_table

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PartFile:
    """One part as its shard's marker lists it.

    Attributes:
        name: File name in the shard's folder.
        rows: Its candidates.
        sha256: Of its bytes.
    """

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Marker:
    """Says that a shard is done, and which files hold its rows. Readers follow nothing else.

    Attributes:
        shard: The shard.
        attempt: Execution that finished it.
        files: Its parts, of this and of earlier attempts.
        candidates: Rows in all parts.
    """

    shard: int
    attempt: str
    files: tuple[PartFile, ...]
    candidates: int


def write_part(folder: RunFolder, shard: int, attempt: str, rows: Sequence[Candidate]) -> Path:
    """Write finished rows as a new part of a shard; return its path."""
    return _write(folder.new_part(shard, attempt), rows)


def write_draft(folder: RunFolder, shard: int, attempt: str, rows: Sequence[Candidate]) -> Path:
    """Write undecided rows as a new draft of a shard; return its path."""
    return _write(folder.new_draft(shard, attempt), rows)


def _write(path: Path, rows: Sequence[Candidate]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(rows, RESULTS, path)
    return path


def parts(folder: RunFolder, shard: int) -> list[Path]:
    """Return a shard's parts on disk, marked or not, in order of name."""
    return sorted(folder.shard(shard).glob("part-*.parquet"))


def drafts(folder: RunFolder, shard: int) -> list[Path]:
    """Return a shard's drafts on disk, oldest first."""
    found = folder.shard(shard).glob("_draft-*.parquet")
    return [path for _, path in sorted((_age(path), path) for path in found)]


def _age(path: Path) -> int:
    """Return when a file was written; 0 if another attempt has removed it meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def drop_drafts(folder: RunFolder, shard: int) -> None:
    """Remove a finished shard's drafts."""
    for path in drafts(folder, shard):
        path.unlink(missing_ok=True)


def read_rows(paths: Iterable[Path]) -> Iterator[Candidate]:
    """Yield the rows of parts or drafts, file by file.

    Raises:
        ValueError: If a file is no whole results file of this version.
    """
    for path in paths:
        yield from to_records(read_table(path, RESULTS), Candidate)


def collect(folder: RunFolder, shard: int) -> tuple[tuple[PartFile, ...], set[Key]]:
    """Return the parts that hold a shard's rows, each row once, and the rows' keys.

    Attempts that ran side by side may have finished the same request: the part that comes first
    by name counts, a later one that repeats any of its rows is left out. So is one that cannot be
    read: its rows are missing from the keys, and are drawn again.
    """
    files: list[PartFile] = []
    keys: set[Key] = set()
    for path in parts(folder, shard):
        try:
            found = keys_of(path)
        except (ValueError, OSError):
            continue
        if keys.isdisjoint(found):
            keys.update(found)
            files.append(PartFile(path.name, len(found), sha256_file(path)))
    return tuple(files), keys


def keys_of(path: Path) -> list[Key]:
    """Return the request and candidate of every row of a part or draft.

    Raises:
        ValueError: If the file is no whole results file of this version.
    """
    table = read_table(path, RESULTS, ["request_id", "candidate"])
    return list(zip(table["request_id"].to_pylist(), table["candidate"].to_pylist(), strict=True))


def publish_marker(folder: RunFolder, marker: Marker) -> bool:
    """Mark a shard as done unless it is already; return whether this call did."""
    return publish(folder.done(marker.shard), asdict(marker))


def read_marker(path: Path) -> Marker:
    """Return what a marker says."""
    data = read_json(path)
    files = tuple(PartFile(**file) for file in data["files"])
    return Marker(data["shard"], data["attempt"], files, data["candidates"])


def markers(folder: RunFolder) -> list[Marker]:
    """Return the markers of all finished shards, in order of shard."""
    found = (read_marker(path) for path in folder.markers.glob("shard-*.json"))
    return sorted(found, key=lambda marker: marker.shard)


def marked_parts(folder: RunFolder) -> dict[Path, int]:
    """Return the parts of all finished shards and how many rows each has, in order of shard."""
    return {
        folder.shard(marker.shard) / file.name: file.rows
        for marker in markers(folder)
        for file in marker.files
    }
