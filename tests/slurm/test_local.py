"""Running calls in processes of this machine."""

import os
import signal
import time
from pathlib import Path

import pytest

from slurm.executors import run_local, visible_gpus
from slurm.tasks import Task

HERE = "tests.slurm.test_local"


def overlap(run: str, shard: int, stopping) -> bool:
    """Leave the number of tasks that were seen at once."""
    mine = Path(run) / f"busy-{shard}"
    mine.touch()
    time.sleep(0.5)
    (Path(run) / f"seen-{shard}").write_text(str(len(list(Path(run).glob("busy-*")))))
    mine.unlink()
    return True


def fail_on_one(run: str, shard: int, stopping) -> bool:
    print("about to work", shard)  # noqa: T201
    if shard == 1:
        raise RuntimeError("no picture came out")
    (Path(run) / f"done-{shard}").touch()
    return True


def die(run: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def note_gpus(run: str, shard: int, stopping) -> bool:
    (Path(run) / f"gpus-{shard}").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(0.3)
    return True


def stop_once(run: str, shard: int, stopping) -> bool:
    """Be told to stop in the first round, and be done in the second."""
    first = Path(run) / f"first-{shard}"
    if first.exists():
        return True
    first.touch()
    signal.raise_signal(signal.SIGUSR2)
    return not stopping()


def tasks(name: str, run: Path, count: int) -> list[Task]:
    return [Task(f"{HERE}:{name}", str(run), shard) for shard in range(count)]


def test_there_are_never_more_processes_than_asked_for(tmp_path):
    """The local executor of submitit alone would start all of them at once."""
    ended: list[int] = []
    assert run_local(tasks("overlap", tmp_path, 4), tmp_path / "slurm", 2, ended.append) == []
    seen = [int(file.read_text()) for file in tmp_path.glob("seen-*")]
    assert len(seen) == 4
    assert max(seen) <= 2
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_failing_task_is_reported_and_the_others_go_on(tmp_path):
    """What it raised, where its log is, and the log's tail."""
    (error,) = run_local(tasks("fail_on_one", tmp_path, 3), tmp_path / "slurm", 2)
    first, *tail = error.splitlines()
    assert first.startswith("task 1 failed: RuntimeError: no picture came out (log: ")
    assert Path(first.split("log: ")[1].rstrip(")")).is_file()
    assert any("raise RuntimeError" in line for line in tail)
    assert sorted(file.name for file in tmp_path.glob("done-*")) == ["done-0", "done-2"]


def test_a_task_whose_process_is_killed_is_reported(tmp_path):
    """Such as by the kernel when memory runs out."""
    (error,) = run_local([Task(f"{HERE}:die", str(tmp_path))], tmp_path / "slurm", 1)
    assert error.startswith("task 0 failed: its process ended without a result")


def test_each_process_sees_one_gpu(tmp_path):
    """GPUs are dealt out in turn, by whatever names CUDA_VISIBLE_DEVICES has for them."""
    errors = run_local(tasks("note_gpus", tmp_path, 2), tmp_path / "slurm", 2, gpus=["GPU-a", "3"])
    assert errors == []
    assert [(tmp_path / f"gpus-{n}").read_text() for n in (0, 1)] == ["GPU-a", "3"]


def test_a_task_that_was_told_to_stop_runs_again(tmp_path):
    """The local executor starts its process once more."""
    assert run_local(tasks("stop_once", tmp_path, 1), tmp_path / "slurm", 1) == []
    assert (tmp_path / "first-0").exists()


def test_no_process_at_all_is_refused(tmp_path):
    """It would wait for ever."""
    with pytest.raises(ValueError, match="parallel is 0; it must be 1 or more"):
        run_local(tasks("overlap", tmp_path, 1), tmp_path / "slurm", 0)


@pytest.mark.parametrize(("value", "gpus"), [("", []), ("0,2", ["0", "2"])])
def test_a_restriction_to_some_gpus_is_kept(monkeypatch, value, gpus):
    """What the user's shell or job allows is all there is."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == gpus
