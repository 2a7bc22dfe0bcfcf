"""The callable that submitit pickles: a function by its name, a run, a shard, and nothing else."""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slurm.commands import SlurmError
from slurm.environment import TaskEnvironment
from slurm.states import squeue
from slurm.stops import StopFlag

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One call of `function(run)`, or of `function(run, shard, stopping)` that may stop early.

    A function with a shard returns whether the shard is done. It looks at `stopping()` between
    batches; when that is true it writes what it has and returns False. Then the task runs again:
    submitit's handler of USR2 is called, which counts time-outs, asks `scontrol requeue` (the
    local executor starts the process again), and exits. Progress is in the run's files, so
    running again is calling again: the pickle never changes, and a task that was killed with no
    warning resumes the same way as one that stopped.

    A function without a shard is short: submitit's handler interrupts it at once.

    Attributes:
        function: `module:name`, imported where the task runs.
        run: Path of the run folder.
        shard: Number of the shard, if the function works one.
    """

    function: str
    run: str
    shard: int | None = None

    def __call__(self) -> Any:
        if self.shard is None:
            return load(self.function)(self.run)
        with StopFlag() as stop:
            done = load(self.function)(self.run, self.shard, stop)
        if done:
            return done
        return self._run_again(stop)

    def checkpoint(self) -> Any:
        """Return the submission with which submitit replaces the pickle: the same call."""
        from submitit import JobEnvironment
        from submitit.helpers import DelayedSubmission

        # An attempt that was killed while it wrote this file would fail every later one.
        pickle = JobEnvironment().paths.submitted_pickle
        pickle.with_name(f"{pickle.name}.save_tmp").unlink(missing_ok=True)
        return DelayedSubmission(self)

    def _run_again(self, stop: StopFlag) -> bool:
        """Hand over to submitit's handler, unless whoever sent TERM has other plans."""
        if "SUBMITIT_EXECUTOR" not in os.environ:
            return False
        if signal.SIGTERM in stop.received and not _still_wanted():
            logger.warning("stopped before the shard was done; SLURM decides how it goes on")
            sys.exit(128 + signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR2)
        return False


def _still_wanted() -> bool:
    """Return whether SLURM counts this job as running: not cancelled, not being requeued.

    TERM alone does not tell a preemption from `scancel`. A cancelled job that asks to be requeued
    would rise from the dead. Outside SLURM, TERM means the end.
    """
    job_id = TaskEnvironment.from_environ().job_id
    if os.environ["SUBMITIT_EXECUTOR"] != "slurm" or job_id is None:
        return False
    try:
        return any(job.state == "RUNNING" for job in squeue([job_id]))
    except SlurmError:  # no answer: end as TERM asks for, and leave the rest to SLURM
        return False


def load(function: str) -> Callable[..., Any]:
    """Return the function that `module:name` names."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
