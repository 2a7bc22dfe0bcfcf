"""A folder that appears whole or not at all."""

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXPORTED = re.compile(
    r"[0-9a-f]{16}-\d{3,}-candidate-\d{5,}\.png|candidates\.csv|README\.md"
    r"|data|train-\d{5}-of-\d{5}\.parquet|fundiff-\d{6,}\.tar"
)
"""The names that an export gives to files and folders."""


@contextmanager
def whole_folder(output: Path, replace: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside `output` that takes its place when all of it is written.

    A folder holds one export: what an earlier one left would be taken for part of this one, and
    the older ranks with it. So a folder with files is refused, unless it is to be replaced and
    holds nothing but an export.

    Args:
        output: The folder; new or empty.
        replace: Whether an earlier export may give way.

    Raises:
        ValueError: If the folder holds files that are to stay.
    """
    output = output.resolve()
    _require_room(output, replace)
    hidden = output.with_name(f".{output.name}.tmp-{uuid.uuid4().hex}")
    hidden.mkdir(parents=True)
    try:
        yield hidden
        _require_room(output, replace)
        if output.exists():
            earlier = hidden.with_name(f"{hidden.name}-earlier")
            output.rename(earlier)
            try:
                hidden.rename(output)
            finally:
                if not output.exists():
                    earlier.rename(output)
            shutil.rmtree(earlier)
        else:
            hidden.rename(output)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _require_room(output: Path, replace: bool) -> None:
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not replace:
        raise ValueError(
            f"{output} holds files already; give a new folder, "
            "or --replace to put this export in the place of an earlier one"
        )
    others = [path for path in output.rglob("*") if not EXPORTED.fullmatch(path.name)]
    if others:
        raise ValueError(
            f"{output} holds {min(others).name!r}, which no export wrote, so it is not replaced; "
            "give a new folder"
        )
