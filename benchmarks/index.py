"""How long the index takes, and how much memory, for as many candidates as one likes.

    python benchmarks/index.py /tmp/run --rows 1e6 --repeat 3

Each question is asked in a process of its own, whose peak memory is its own. The second time in
the same folder the run is not made again.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
from synthetic import CANDIDATES, make_run

from manifests.diversity import read_embeddings
from manifests.filters import Filters
from manifests.index import build_index, rows_of
from manifests.layout import RunFolder
from manifests.ranking import ranking
from manifests.sql import ask


def build(folder: RunFolder) -> str:
    """Build the index."""
    rows = build_index(folder)
    return f"{folder.index.stat().st_size / rows:.1f} bytes a row"


def top_of_all(folder: RunFolder) -> str:
    """Rank all, and read the best of every request."""
    return f"{sum(1 for _ in ranking(folder, 1, Filters()))} requests"


def top_of_one(folder: RunFolder) -> str:
    """Rank one request."""
    return f"{sum(1 for _ in ranking(folder, CANDIDATES, Filters(request_id=_some(folder))))} rows"


def top_by_words(folder: RunFolder) -> str:
    """Rank the requests with some words."""
    rows = ranking(folder, 1, Filters(text="skull 123", min_score=0.3))
    return f"{sum(1 for _ in rows)} requests"


def top_without_twins(folder: RunFolder) -> str:
    """Rank all, and take the best four of every request that are no twins."""
    return f"{sum(1 for _ in ranking(folder, 4, Filters(distinct=0.2)))} rows"


def look_up(folder: RunFolder) -> str:
    """Find one candidate."""
    return f"{len(rows_of(folder, [(_some(folder), 3)]))} row"


def aggregate(folder: RunFolder) -> str:
    """Count, and take the mean of, the scores by kind and status."""
    query = "select kind, status, count(*), avg(score) from candidates group by all"
    with ask(folder, query) as answer:
        return f"{sum(1 for _ in answer.rows)} rows"


def pandas_columns(folder: RunFolder) -> str:
    """Find the best of every request with pandas, which reads the two columns it needs."""
    import pandas as pd

    frame = pd.read_parquet(folder.index, columns=["request_id", "score"])
    return f"{len(frame.groupby('request_id')['score'].idxmax())} requests"


def pandas_whole(folder: RunFolder) -> str:
    """Read the best of every request with pandas, which reads all."""
    import pandas as pd

    frame = pd.read_parquet(folder.index)
    return f"{len(frame.loc[frame.groupby('request_id')['score'].idxmax()])} requests"


def _some(folder: RunFolder) -> str:
    """Return the id of a request in the middle of the manifest."""
    with pq.ParquetFile(folder.manifest) as file:
        ids = file.read_row_group(file.num_row_groups // 2, ["request_id"])["request_id"]
    return str(ids[len(ids) // 2])


def _have_embeddings(folder: RunFolder) -> bool:
    part = next(folder.shard(0).iterdir())
    return any(each.size for each in read_embeddings(folder, str(part.relative_to(folder.path))))


MEASURES: dict[str, Callable[[RunFolder], str]] = {
    measure.__name__: measure
    for measure in (build, top_of_all, top_of_one, top_by_words, top_without_twins, look_up,
                    aggregate, pandas_columns, pandas_whole)
}  # fmt: skip


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rows", type=float, default=1e7, show_default=True, help="Candidates.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--embeddings", is_flag=True, help="Give each candidate one; ask for twins too.")
@click.option("--measure", type=click.Choice(list(MEASURES)), help="One only, in this process.")
def main(path: Path, rows: float, repeat: int, embeddings: bool, measure: str | None) -> None:
    """Measure the index of a run of so many candidates in the folder PATH."""
    folder = RunFolder(path)
    if measure is not None:
        click.echo(json.dumps(_measured(MEASURES[measure], folder)))
        return
    if not folder.manifest.is_file():
        start = time.perf_counter()
        make_run(folder, int(rows), embeddings)
        click.echo(f"made in {time.perf_counter() - start:.0f} s", err=True)
    click.echo(f"{os.cpu_count()} cores of {_processor()}, median of {repeat}, greatest peak")
    click.echo(f"{'':18} {'s':>8} {'cpu s':>8} {'MiB':>8}")
    for name, function in MEASURES.items():
        if function is not top_without_twins or _have_embeddings(folder):
            click.echo(_line(folder, name, repeat))


def _measured(function: Callable[[RunFolder], str], folder: RunFolder) -> dict[str, Any]:
    """Return what a function took, in time, time of all cores and memory, and what it said."""
    start, before = time.perf_counter(), time.process_time()
    said = function(folder)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "said": said,
    }


def _line(folder: RunFolder, name: str, repeat: int) -> str:
    """Return a line on one measure, in processes of their own."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, str(folder.path), "--measure", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return f"{name:18} ended with {done.returncode}"  # -9: out of memory
        runs.append(json.loads(done.stdout))
    seconds = statistics.median(run["seconds"] for run in runs)
    cpu = statistics.median(run["cpu_seconds"] for run in runs)
    peak = max(run["peak_mib"] for run in runs)
    return f"{name:18} {seconds:8.2f} {cpu:8.2f} {peak:8.0f}   {runs[0]['said']}"


def _processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
