"""What the tests have SLURM run; imported by the jobs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from slurm.environment import TaskEnvironment

PATIENCE_S = 90


def record(run: str, shard: int, stopping: Callable[[], bool]) -> bool:
    """Leave a line on where this runs, and stay long enough for others to run beside it."""
    _note(run, shard)
    time.sleep(1)
    return True


def wait_in_first_round(run: str, shard: int, stopping: Callable[[], bool]) -> bool:
    """Leave a line per round; the first round works until it is told to stop."""
    rounds = _note(run, shard)
    if len(rounds) > 1:
        return True
    deadline = time.monotonic() + PATIENCE_S
    while not stopping():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody told this task to stop")
        time.sleep(0.05)
    (Path(run) / f"stopped-{shard}").touch()
    return False


def encode(run: str) -> None:
    """Leave what the shards need."""
    (Path(run) / "encoded").touch()


def draw(run: str, shard: int, stopping: Callable[[], bool]) -> bool:
    """Leave a result, if the prompts are encoded."""
    if not (Path(run) / "encoded").exists():
        raise FileNotFoundError("the prompts are not encoded")
    (Path(run) / f"result-{shard}").touch()
    return True


def index(run: str) -> None:
    """Leave the names of the results that are there."""
    names = sorted(path.name for path in Path(run).glob("result-*"))
    (Path(run) / "index").write_text("\n".join(names))


def launch(run: str) -> None:
    """Submit the first step, as a launcher that itself runs in a job does."""
    from slurm.executors import slurm_executor, submit
    from slurm.profiles import Profile
    from slurm.tasks import Task

    executor = slurm_executor(Profile("small", mem_gb=0.25), Path(run) / "inner", name="inner")
    ids = submit(executor, [Task(f"{__name__}:encode", run)])
    (Path(run) / "launched").write_text("".join(ids))


def fail(run: str) -> None:
    """Fail as broken code does."""
    raise RuntimeError("a worker that fails on purpose")


def _note(run: str, shard: int) -> list[str]:
    """Add a line `process restarts node gpus` for this round; return the lines of all rounds."""
    here = TaskEnvironment.from_environ()
    file = Path(run) / f"rounds-{shard}"
    with file.open("a") as lines:
        lines.write(f"{os.getpid()} {here.restart_count} {here.node} {','.join(here.gpus)}\n")
    return file.read_text().splitlines()
