"""Pictures beside one CSV table."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobs.exports.entry import FACTS, Entry
from manifests.files import write_bytes, write_whole


def write_csv(entries: Iterable[Entry], output: Path) -> int:
    """Write candidates.csv and the pictures that it names; return how many.

    Column `file_name` names the picture; lists are separated by `|`, as in a manifest's source.
    """
    count = 0

    def write(path: Path) -> None:
        nonlocal count
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file_name", *FACTS.names])
            for entry in entries:
                name = f"{entry.name}.png"
                write_bytes(output / name, entry.png)
                writer.writerow([name, *(_cell(value) for value in entry.facts.values())])
                count += 1

    write_whole(output / "candidates.csv", write)
    return count


def _cell(value: Any) -> Any:
    return "|".join(value) if isinstance(value, list) else value
