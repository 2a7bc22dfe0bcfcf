"""What other judges said of a run afterwards: a folder of parts per judge."""

from collections.abc import Sequence
from pathlib import Path

from manifests.layout import RunFolder
from manifests.schemas import SCORES
from manifests.tables import open_table


def score_parts(folder: RunFolder) -> dict[str, list[Path]]:
    """Return the parts of each judge that has scored a run, by the name of its folder.

    Raises:
        ValueError: If a part is not whole or of another version.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.scores.glob("*/part-*.parquet")):
        open_table(path, SCORES).close()
        found.setdefault(path.parent.name, []).append(path)
    return found


def parts_of_judges(folder: RunFolder, names: Sequence[str]) -> dict[str, list[Path]]:
    """Return the parts of these judges.

    Raises:
        ValueError: If one of them has not scored the run.
    """
    there = score_parts(folder)
    for name in names:
        if name not in there:
            known = f"choose from {', '.join(there)}" if there else "nobody has"
            raise ValueError(
                f"judge {name!r} has not scored {folder.path}; {known}, "
                "or score it with `fundiff score`"
            )
    return {name: there[name] for name in names}
