"""Files that appear whole or not at all."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a hidden file beside `path`, then put it in place in one step.

    The hidden name begins with a dot, which readers of Parquet folders skip.
    """
    hidden = path.with_name(f".{path.name}.tmp-{uuid.uuid4().hex}")
    try:
        write(hidden)
        _sync(hidden)
        hidden.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what to tell
            hidden.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file, whole or not at all."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda hidden: hidden.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        ValueError: If it holds no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no whole JSON file: {error}") from error


def publish(path: Path, data: Any) -> bool:
    """Write a JSON file unless it exists; return whether this call was the first to do so."""
    hidden = path.with_name(f".{path.name}.tmp-{uuid.uuid4().hex}")
    try:
        hidden.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        _sync(hidden)
        path.hardlink_to(hidden)
    except FileExistsError:
        return False
    finally:
        hidden.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def publish_numbered(path_of: Callable[[int], Path], data: Any) -> int:
    """Write a JSON file under the first free number, unless one holds the same; return which."""
    content = json.loads(json.dumps(data))
    for number in count():
        path = path_of(number)
        if publish(path, content) or read_json(path) == content:
            return number
    raise AssertionError("count() has no end")


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Bring a file or a folder's entries to disk; an error (a full disk, say) is the caller's."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    write_whole(path, lambda hidden: hidden.write_bytes(data))
