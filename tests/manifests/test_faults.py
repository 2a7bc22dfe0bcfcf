"""Torn files, killed processes, full disks, attempts side by side: no row is lost or doubled."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from manifests.files import read_json
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.plan import PlannedShard, write_plan
from manifests.progress import progress
from manifests.results import (
    Marker,
    collect,
    drafts,
    markers,
    parts,
    publish_marker,
    read_rows,
    write_draft,
    write_part,
)
from tests.manifests.rows import candidate, request

ROOT = Path(__file__).parents[2]

WORKER = """
import sys
from pathlib import Path
from manifests.layout import RunFolder
from manifests.records import Picture
from manifests.results import Marker, collect, publish_marker, write_part
from tests.manifests.rows import candidate

folder, attempt, requests = RunFolder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
sys.stdin.read()
finished = collect(folder, 0)[1]
for number in range(requests):
    request_id = f"{number:016x}"
    if (request_id, 0) not in finished:
        image = Picture(bytes(300_000), "")
        rows = [candidate(request_id, k, attempt=attempt, image=image) for k in range(3)]
        write_part(folder, 0, attempt, rows)
files, keys = collect(folder, 0)
print(publish_marker(folder, Marker(0, attempt, files, len(keys))))
"""
"""An attempt at a shard: as many requests of three candidates as asked, those that are missing."""


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.create()
    write_manifest([request()], run.manifest)
    write_plan([PlannedShard(0, 0, 1)], run.plan)
    return run


def start(folder: RunFolder, attempt: str, requests: int) -> subprocess.Popen:
    """Start an attempt that begins when its stdin is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder.path), attempt, str(requests)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def torn(path: Path) -> Path:
    """Cut the end off a file, as a machine that loses power may."""
    path.write_bytes(path.read_bytes()[:-50])
    return path


def test_a_killed_attempt_leaves_whole_parts_and_its_successor_does_the_rest(folder):
    """Killed three times in the middle of writing, then run to its end."""
    for attempt in range(3):
        before = len(parts(folder, 0))
        process = start(folder, f"killed{attempt}", 100_000)
        process.stdin.close()
        deadline = time.monotonic() + 30
        while len(parts(folder, 0)) < before + 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        rows = list(read_rows(parts(folder, 0)))
        assert len(rows) == 3 * len(parts(folder, 0)) >= 3 * (before + 3)
        assert ds.dataset(folder.shard(0)).count_rows() == len(rows)
    requests = len(parts(folder, 0)) + 5
    assert start(folder, "last", requests).communicate() == ("True\n", None)
    (marker,) = markers(folder)
    rows = list(read_rows(folder.shard(0) / file.name for file in marker.files))
    assert len({row.attempt for row in rows}) == 4
    assert sorted((row.request_id, row.candidate) for row in rows) == [
        (f"{number:016x}", k) for number in range(requests) for k in range(3)
    ]


def test_of_attempts_side_by_side_one_marks_and_each_row_counts_once(folder):
    """Two processes that draw the same shard at the same time."""
    racers = [start(folder, f"racer{n}", 12) for n in range(2)]
    for racer in racers:
        racer.stdin.close()
    said = sorted(racer.stdout.read().strip() for racer in racers)
    for racer in racers:
        racer.stdout.close()
        racer.wait()
    assert said == ["False", "True"]
    assert build_index(folder) == markers(folder)[0].candidates == 36


def test_a_write_that_the_disk_refuses_raises_and_leaves_nothing(folder):
    """A file size limit stands in for a full disk: the same error path of the real library."""
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n" + WORKER
    )
    write_part(folder, 0, "before", [candidate()])
    process = subprocess.run(
        [sys.executable, "-c", code, str(folder.path), "full", "1"],
        input="",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert process.returncode == 1
    assert "OSError: [Errno 27]" in process.stderr
    assert [path.name for path in folder.shard(0).iterdir()] == [parts(folder, 0)[0].name]
    assert list(read_rows(parts(folder, 0))) == [candidate()]
    assert markers(folder) == []


def test_a_torn_part_is_left_out_so_that_its_rows_are_drawn_again(folder):
    """Only what can be read counts as finished."""
    torn(write_part(folder, 0, "a", [candidate("a" * 16)]))
    whole = write_part(folder, 0, "b", [candidate("b" * 16)])
    files, keys = collect(folder, 0)
    assert [file.name for file in files] == [whole.name]
    assert keys == {("b" * 16, 0)}


def test_progress_survives_what_is_torn_or_vanishes(folder):
    """A part cut short, a draft cut short, a draft that another attempt has just removed."""
    write_part(folder, 0, "a", [candidate()])
    torn(write_part(folder, 0, "b", [candidate("b" * 16)]))
    torn(write_draft(folder, 0, "a", [candidate("c" * 16, status="drawn")]))
    folder.new_draft(0, "gone").symlink_to("removed")
    assert len(drafts(folder, 0)) == 2
    assert progress(folder).candidates == {"accepted": 1, "drawn": 0}


def test_a_candidate_counts_as_drawn_once_and_not_after_its_decision(folder):
    """Its picture may lie in a draft of each stage, and then in a part."""
    for _ in range(2):
        write_draft(folder, 0, "a", [candidate(number=n, status="drawn") for n in range(2)])
    assert progress(folder).candidates == {"drawn": 2}
    write_part(folder, 0, "a", [candidate(number=0)])
    assert progress(folder).candidates == {"drawn": 1, "accepted": 1}


def test_a_marked_part_that_is_torn_is_named(folder):
    """What a marker promises is not skipped in silence."""
    path = write_part(folder, 0, "a", [candidate()])
    files, keys = collect(folder, 0)
    publish_marker(folder, Marker(0, "a", files, len(keys)))
    torn(path)
    with pytest.raises(ValueError, match=rf"{path.name} is no whole Parquet file"):
        build_index(folder)


def test_a_json_file_that_is_torn_is_named(tmp_path):
    """One line with the file, and no traceback of a parser."""
    (tmp_path / "run.json").write_text('{"seed": ')
    with pytest.raises(ValueError, match=r"run\.json is no whole JSON file"):
        read_json(tmp_path / "run.json")


def test_other_readers_see_parts_and_nothing_else(folder):
    """Drafts and temporary files begin with `_` or a dot, which dataset readers skip."""
    write_part(folder, 0, "a", [candidate()])
    write_draft(folder, 0, "a", [candidate(number=1, status="drawn")])
    (folder.shard(0) / ".part-x.parquet.tmp-1").write_bytes(b"torn")
    assert ds.dataset(folder.results).count_rows() == 1
