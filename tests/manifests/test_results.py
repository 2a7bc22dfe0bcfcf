"""Parts, drafts and markers: nothing is lost, nothing counts twice, nothing torn is read."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from manifests.files import publish, read_json, write_json, write_whole
from manifests.index import POINTER, build_index, load_pictures, same_rows
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.plan import PlannedShard, write_plan
from manifests.progress import progress
from manifests.ranking import top
from manifests.records import Picture
from manifests.results import (
    Marker,
    collect,
    drafts,
    drop_drafts,
    markers,
    publish_marker,
    read_rows,
    write_draft,
    write_part,
)
from tests.manifests.rows import candidate, request


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.create()
    return run


def finish(folder: RunFolder, shard: int) -> Marker:
    """Mark a shard as done with what is on disk."""
    files, keys = collect(folder, shard)
    marker = Marker(shard, "attempt", files, len(keys))
    publish_marker(folder, marker)
    return marker


def test_a_run_folder_is_its_owners_alone(folder):
    """Whoever can write there can have code run."""
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_rows_come_back_as_they_were(folder):
    """Pictures, nulls and matrices."""
    rows = [
        candidate(),
        candidate(number=1, status="failed", stage=0, score=None, image=None, stage_1_image=None,
                  similarities=(), error_type="ValueError", error_message="NaN"),
    ]  # fmt: skip
    path = write_part(folder, 0, "a", rows)
    assert list(read_rows([path])) == rows


def test_a_part_that_repeats_rows_is_left_out(folder):
    """Two attempts that ran side by side: each row counts once."""
    a = write_part(folder, 0, "a", [candidate("x" * 16), candidate("y" * 16)])
    b = write_part(folder, 0, "b", [candidate("y" * 16), candidate("z" * 16)])
    c = write_part(folder, 0, "c", [candidate("w" * 16)])
    files, keys = collect(folder, 0)
    assert [file.name for file in files] == [a.name, c.name]
    assert keys == {("x" * 16, 0), ("y" * 16, 0), ("w" * 16, 0)}
    assert b.exists()


def test_the_first_marker_wins(folder):
    """A late attempt changes nothing."""
    write_part(folder, 0, "a", [candidate()])
    first = finish(folder, 0)
    late = dataclasses.replace(first, attempt="zombie")
    assert publish_marker(folder, late) is False
    assert markers(folder) == [first]


def test_the_index_follows_markers_and_nothing_else(folder):
    """Unmarked parts, drafts and torn temporary files are not read."""
    write_part(folder, 0, "a", [candidate("b" * 16, 1), candidate("b" * 16, 0)])
    finish(folder, 0)
    write_part(folder, 0, "zombie", [candidate("c" * 16)])
    write_draft(folder, 0, "a", [candidate("d" * 16, status="drawn")])
    (folder.shard(0) / ".part-x.parquet.tmp-1").write_bytes(b"torn")
    write_part(folder, 1, "a", [candidate("a" * 16)])
    assert build_index(folder) == 2
    index = pq.read_table(folder.index).to_pylist()
    assert [(row["request_id"], row["candidate"]) for row in index] == [
        ("b" * 16, 0),
        ("b" * 16, 1),
    ]
    finish(folder, 1)
    assert build_index(folder) == 3


def test_an_index_row_leads_to_its_pictures(folder, monkeypatch):
    """Also in a file of several row groups, sorted otherwise."""
    monkeypatch.setattr("manifests.tables.ROW_GROUP_BYTES", 500)
    rows = [candidate("r" * 16, n, image=Picture(bytes([n]) * 300, "")) for n in (3, 1, 2, 0)]
    write_part(folder, 0, "a", rows)
    finish(folder, 0)
    build_index(folder)
    for row in pq.read_table(folder.index).to_pylist():
        small, large = load_pictures(folder, row["part"], row["row"])
        assert small == b"small"
        assert large is not None
        assert large[0] == row["candidate"]


def test_two_indexes_are_compared_without_their_pointers(folder, tmp_path):
    """File names hold an attempt's id; scores do not."""
    other = RunFolder(tmp_path / "other")
    other.create()
    for run, attempt in ((folder, "a"), (other, "b")):
        write_part(run, 0, attempt, [candidate()])
        finish(run, 0)
        build_index(run)
    assert same_rows(folder.index, other.index)
    table = pq.read_table(folder.index)
    pq.write_table(
        table.set_column(table.schema.get_field_index("score"), "score", [[0.3]]), other.index
    )
    assert not same_rows(folder.index, other.index)
    assert set(POINTER) < set(table.column_names)


def test_top_ranks_upscaled_candidates_first_and_requests_by_their_best(folder):
    """With filters by kind, tag and status."""
    one = request(tags=("night",))
    two = request(kind="hybrid", views=("low_pass:2", "high_pass:2"), reduction="sum")
    write_manifest([one, two], folder.manifest)
    write_part(
        folder,
        0,
        "a",
        [
            candidate(one.request_id, 0, score=0.1),
            candidate(one.request_id, 1, score=0.2),
            candidate(one.request_id, 2, score=0.9, stage=1, status="rejected"),
            candidate(one.request_id, 3, score=None, stage=0, status="failed", error_type="E"),
            candidate(two.request_id, 0, kind="hybrid", score=0.5),
        ],
    )
    finish(folder, 0)
    build_index(folder)
    assert [(r["request_id"], r["candidate"], r["rank"]) for r in top(folder, 2)] == [
        (two.request_id, 0, 1),
        (one.request_id, 1, 1),
        (one.request_id, 0, 2),
    ]
    assert {r["request_id"] for r in top(folder, 9, kind="hybrid")} == {two.request_id}
    assert {r["request_id"] for r in top(folder, 9, tag="night")} == {one.request_id}
    assert [r["candidate"] for r in top(folder, 9, status="rejected")] == [2]
    assert top(folder, 1)[1]["prompts"] == ["a skull", "a rocket ship"]


def test_progress_counts_parts_drafts_and_markers(folder):
    """From files alone, while shards are under way."""
    write_manifest([request()], folder.manifest)
    write_plan([PlannedShard(0, 0, 1), PlannedShard(1, 1, 2)], folder.plan)
    write_part(folder, 0, "a", [candidate(), candidate(number=1, status="rejected")])
    finish(folder, 0)
    write_part(folder, 1, "a", [candidate("z" * 16)])
    write_draft(folder, 1, "a", [candidate("y" * 16, status="drawn")])
    now = progress(folder)
    assert (now.requests, now.shards, now.shards_done, now.unfinished) == (1, 2, 1, (1,))
    assert now.candidates == {"accepted": 2, "rejected": 1, "drawn": 1}
    drop_drafts(folder, 1)
    assert drafts(folder, 1) == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    """And no temporary file."""
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def broken(hidden):
        hidden.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(path, broken)
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    """A real process, killed while it rewrites a file without end."""
    code = (
        "import sys; from pathlib import Path; from manifests.files import write_json\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; write_json(Path(sys.argv[1]), {'n': n, 'pad': 'x' * 300_000})\n"
    )
    path = tmp_path / "x.json"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        deadline = time.monotonic() + 30
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(read_json(path)["pad"]) == 300_000


def test_of_many_publishers_exactly_one_is_first(tmp_path):
    """Real processes race for one marker."""
    code = (
        "import sys; from pathlib import Path; from manifests.files import publish\n"
        "sys.stdin.read(); print(publish(Path(sys.argv[1]), {'who': sys.argv[2]}))\n"
    )
    path = tmp_path / "done.json"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(6)
    ]
    said = [racer.communicate()[0].strip() for racer in racers]
    assert sorted(said) == ["False"] * 5 + ["True"]
    assert read_json(path)["who"] == str(said.index("True"))
    assert publish(path, {}) is False
