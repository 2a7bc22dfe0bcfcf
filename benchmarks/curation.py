"""How fast one looks through a run in a browser: python benchmarks/curation.py FOLDER [ROWS].

Makes a run of ROWS candidates with pictures in FOLDER, unless it is there: 64-px pictures of
12 KB for all, 256-px ones of 100 KB for the best four of each sixteen, in row groups of 64 MB.
Serves it with `fundiff curate`, all candidates in the grid, and looks at it in chromium, by the
means of the tests: it needs their extra, `pip install -e '.[test]'`.
"""

import argparse
import http.client
import io
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.synthetic import CANDIDATES, make_run
from jobs.gallery import run_digest
from manifests.files import sha256_file, write_json
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.results import Marker, PartFile
from manifests.schemas import PICKS, PICTURE, RESULTS
from tests.jobs.browser import Browser, open_chromium

REPETITIONS = 5
ASKED = 400
"""Pictures that are asked for, at random."""

DISTINCT = 64
ROWS_OF_A_GROUP = 1600  # 16 x 100 rows: 40 MB of large pictures, 19 MB of small ones


def make(folder: RunFolder, rows: int) -> None:
    """Write the run, its pictures and its index."""
    make_run(folder, rows)
    small, large = ([_picture(side, seed) for seed in range(DISTINCT)] for side in (64, 256))
    parts = sorted(folder.results.glob("shard-*/part-*.parquet"))
    per_file = max(1, ROWS_OF_A_GROUP // pq.read_metadata(parts[0]).num_rows)
    for start in range(0, len(parts), per_file):
        _put_together(folder, parts[start : start + per_file], small, large)
    write_json(folder.run_json, {"name": folder.path.name})
    build_index(folder)


def _put_together(
    folder: RunFolder, parts: list[Path], small: list[bytes], large: list[bytes]
) -> None:
    """Put several shards into the part of the first, as one row group with pictures."""
    table = pa.concat_tables(pq.read_table(part, schema=RESULTS) for part in parts)
    stages = table["stage"].to_pylist()
    columns = {
        "stage_1_image": [small[n % DISTINCT] for n in range(len(stages))],
        "image": [large[n % DISTINCT] if stage > 1 else None for n, stage in enumerate(stages)],
    }
    for name, data in columns.items():
        pictures = pa.array([d and {"bytes": d, "path": ""} for d in data], PICTURE)
        at = RESULTS.get_field_index(name)
        table = table.set_column(at, RESULTS.field(name), pictures)
    pq.write_table(
        table, parts[0], compression="none", use_dictionary=False, write_page_index=True,
        row_group_size=ROWS_OF_A_GROUP,
    )  # fmt: skip
    for number, part in enumerate(parts):
        shard = int(part.parent.name.removeprefix("shard-"))
        file = PartFile(part.name, len(table), sha256_file(part)) if not number else None
        marker = Marker(shard, "a", (file,) if file else (), len(table) if file else 0)
        write_json(folder.done(shard), asdict(marker))
        if number:
            part.unlink()


def _picture(side: int, seed: int) -> bytes:
    """Return a PNG file of noise on soft shapes, about as large as a drawn picture's."""
    noise = np.random.default_rng(seed)
    shapes = Image.fromarray(noise.integers(0, 256, (6, 6, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    grain = noise.normal(0, 20 if side == 64 else 4, (side, side, 3))
    pixels = np.clip(np.asarray(shapes) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def serving(folder: RunFolder) -> Iterator[tuple["subprocess.Popen[str]", str, float]]:
    """Run `fundiff curate`; yield its process, its address and the seconds until it had one."""
    code = "from jobs.cli import main; main()"
    before = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "curate", str(folder.path), "-n", str(CANDIDATES)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = "".join(process.stdout.readline() for _ in range(4))
        yield process, re.findall(r"http://\S+", said)[0], time.perf_counter() - before
    finally:
        process.kill()
        process.communicate()


def memory_of(process: "subprocess.Popen[str]") -> str:
    """Return a process's resident memory, now and at its peak."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    now, peak = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "VmHWM"))
    return f"{now / 1024:.0f} MB, peak {peak / 1024:.0f} MB"


def median(name: str, seconds: list[float]) -> None:
    """Print the median of what was measured, and its 95th percentile if there is much."""
    words = f"{1e3 * statistics.median(seconds):.1f} ms"
    if len(seconds) >= 20:
        words += f", 95 % below {1e3 * statistics.quantiles(seconds, n=20)[-1]:.1f} ms"
    print(f"{name}: {words} ({len(seconds)} times)")


def ask_for_pictures(address: str, keys: list[tuple[str, int]], run: str) -> None:
    """Ask the server for pictures at random: the first time, and again."""
    host, token = re.fullmatch(r"http://([^/]+)/\?token=(.*)", address).groups()
    connection = http.client.HTTPConnection(host)
    for name in ("small", "large"):
        for time_, chosen in (("first", keys), ("again", keys)):
            seconds, count = [], 0
            for request_id, candidate in chosen:
                before = time.perf_counter()
                path = f"/pictures/{run}/{request_id}/{candidate}/{name}"
                connection.request("GET", path, headers={"X-Fundiff-Token": token})
                answer = connection.getresponse()
                count += len(answer.read())
                assert answer.status == 200
                seconds.append(time.perf_counter() - before)
            median(f"a {name} picture of {count / len(keys) / 1e3:.0f} KB, {time_}", seconds)


def ask_for_picks(address: str, keys: list[tuple[str, int]]) -> None:
    """Save picks where there are ten thousand already."""
    host, token = re.fullmatch(r"http://([^/]+)/\?token=(.*)", address).groups()
    connection = http.client.HTTPConnection(host)
    seconds = []
    for request_id, candidate in keys[:100]:
        before = time.perf_counter()
        body = {"request_id": request_id, "candidate": candidate, "rating": 3, "rejected": False}
        connection.request("POST", "/picks", json.dumps(body), {"X-Fundiff-Token": token})
        assert connection.getresponse().read()
        seconds.append(time.perf_counter() - before)
    median("a pick saved beside 10,000", seconds)


DRAWN = "document.querySelector('.card') && [...document.images].every(i => !i.src || i.complete)"


def timed(browser: Browser, act: Callable[[], object], until: str) -> float:
    """Return the seconds from an act until what it leads to is painted."""
    before = time.perf_counter()
    act()
    browser.until(until, 60)
    browser.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    return time.perf_counter() - before


def look(browser: Browser, address: str) -> None:
    """Look at the page in chromium: from its address to the painted grid, and to its end."""
    first, jump, nodes = [], [], []
    for _ in range(REPETITIONS):
        browser("Network.clearBrowserCache")
        browser("Page.navigate", url="about:blank")
        first.append(timed(browser, partial(browser, "Page.navigate", url=address), DRAWN))
        nodes.append(browser.run("document.querySelectorAll('*').length"))
        at_end = f"feed.index === feed.length - 1 && {DRAWN}"
        jump.append(timed(browser, partial(browser.press, "End"), at_end))
        nodes.append(browser.run("document.querySelectorAll('*').length"))
    median("from the address to a painted grid", first)
    median("from End to the painted end", jump)
    print(f"elements in the document: {max(nodes)} at most")


def main() -> None:
    """Make the run if need be, serve it, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=float, nargs="?", default=10**5)
    given = parser.parse_args()
    folder, rows = RunFolder(given.folder), int(given.rows)
    if not folder.index.is_file():
        make(folder, rows)
    table = pq.read_table(folder.index, columns=["request_id", "candidate"])
    keys = list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
    some = random.Random(0).sample(keys, ASKED)
    word = {"rating": 3, "rejected": False, "who": "somebody", "at": datetime.now(UTC)}
    said = [
        {"request_id": request_id, "candidate": candidate} | word
        for request_id, candidate in random.Random(1).sample(keys, min(10_000, len(keys)))
    ]
    pq.write_table(pa.Table.from_pylist(said, PICKS), folder.picks)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{len(keys):,} candidates, all in the grid")
    with serving(folder) as (process, address, seconds):
        print(f"from the command to its address: {seconds:.1f} s")
        print(f"the server's memory: {memory_of(process)}")
        with tempfile.TemporaryDirectory() as place:
            for browser in open_chromium(Path(place)):
                look(browser, address)
        ask_for_pictures(address, some, run_digest(folder))
        ask_for_picks(address, some)
        print(f"the server's memory after that: {memory_of(process)}")


if __name__ == "__main__":
    main()
