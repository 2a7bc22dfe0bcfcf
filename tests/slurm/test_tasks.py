"""The callable that submitit pickles."""

import pickle
import signal

import cloudpickle
import pytest

from slurm.tasks import Task, load

calls: list[tuple[object, ...]] = []


def step(run: str) -> str:
    return f"worked {run}"


def shard_done(run: str, shard: int, stopping) -> bool:
    calls.append((run, shard, stopping()))
    return True


def shard_stopped(run: str, shard: int, stopping) -> bool:
    signal.raise_signal(signal.SIGUSR2)
    return not stopping()


HERE = __name__


def test_a_task_calls_its_function_by_name():
    """A function without a shard is given the run alone."""
    assert Task(f"{HERE}:step", "runs/night1")() == "worked runs/night1"


def test_a_shard_is_given_its_number_and_a_flag():
    """The flag is down until a signal comes."""
    calls.clear()
    assert Task(f"{HERE}:shard_done", "runs/night1", 0)() is True
    assert calls == [("runs/night1", 0, False)]


def test_a_shard_that_stopped_is_not_done(monkeypatch):
    """Without submitit nobody runs it again."""
    monkeypatch.delenv("SUBMITIT_EXECUTOR", raising=False)
    assert Task(f"{HERE}:shard_stopped", "runs/night1", 3)() is False


def test_a_pickled_task_is_small_and_holds_no_code():
    """The class goes by name; a night's thousand pickles are as nothing."""
    task = Task("jobs.steps:work_shard", "/data/runs/night1", 12)
    pickled = cloudpickle.dumps(task)
    assert len(pickled) < 200
    assert pickle.loads(pickled) == task


@pytest.mark.parametrize(
    ("function", "error"),
    [("slurm.nowhere:step", ModuleNotFoundError), ("os:nope", AttributeError)],
)
def test_a_name_that_leads_nowhere_raises(function, error):
    """It is a bug, with python's own words."""
    with pytest.raises(error):
        load(function)
