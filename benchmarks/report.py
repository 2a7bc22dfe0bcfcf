"""How long the report takes, and what memory: `python benchmarks/report.py FOLDER [ROWS]`.

Makes a run of ROWS candidates without pictures in FOLDER, unless it is there, and asks for all
that the page shows, in a process of its own, three times.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.synthetic import CANDIDATES, make_run
from jobs.config import RunConfig, code_version
from jobs.report.page import facts_of
from manifests.filters import Filters
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.ranking import ranking

REPETITIONS = 3


def make(folder: RunFolder, rows: int) -> None:
    """Write the run and its index; its requests ask for one round of all their candidates."""
    make_run(folder, rows)
    manifest = pq.read_table(folder.manifest)
    place = manifest.schema.get_field_index("candidates")
    round_ = pa.array([CANDIDATES] * manifest.num_rows, pa.int32())
    pq.write_table(
        manifest.set_column(place, manifest.schema.field(place), round_), folder.manifest
    )
    config = replace(RunConfig("mini"), code_version=code_version())
    folder.run_json.write_text(json.dumps(config.to_json()))
    build_index(folder)


def measure(folder: RunFolder) -> None:
    """Print seconds and the peak of resident memory in MB."""
    before = time.perf_counter()
    facts = facts_of(folder)
    best = list(islice(ranking(folder, 1, Filters()), 10))
    assert facts["total"]["candidates"] >= len(best) == 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.perf_counter() - before, peak)


def main() -> None:
    """Make the run if need be, measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=float, nargs="?", default=10**6)
    given = parser.parse_args()
    folder, rows = RunFolder(given.folder), int(given.rows)
    if not folder.index.is_file():
        make(folder, rows)
    command = [sys.executable, __file__, str(folder.path), "measure"]
    lines = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(REPETITIONS)
    ]
    seconds, megabytes = (
        statistics.median(map(float, column)) for column in zip(*lines, strict=True)
    )
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"{pq.read_metadata(folder.index).num_rows:,} candidates, {REPETITIONS} repetitions")
    print(f"report: {seconds:.1f} s, peak {megabytes:.0f} MB (medians)")


if __name__ == "__main__":
    if sys.argv[2:] == ["measure"]:
        measure(RunFolder(Path(sys.argv[1])))
    else:
        main()
