"""What SLURM says of jobs: squeue for those it still holds, sacct for those it has let go."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slurm.commands import SlurmError, run_slurm

SQUEUE_FORMAT = "%i|%T|%N|%r"
SACCT_FORMAT = "JobID,State,NodeList,ExitCode"

QUEUED = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
UNDER_WAY = frozenset(
    {"RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"}
    | {"STAGE_OUT", "RESV_DEL_HOLD"}
)
RUNS_AGAIN = frozenset({"NODE_FAIL", "PREEMPTED", "BOOT_FAIL"})
"""Ends after which SLURM itself puts a job back into the queue."""


@dataclass(frozen=True, slots=True)
class JobState:
    """One job, or one task of an array.

    Attributes:
        job_id: Of the job, or of the array.
        array_task_id: Index in the array; none if the job is no array.
        state: SLURM's word, such as `RUNNING` or `TIMEOUT`.
        reason: Why it waits or how it ended; empty if SLURM gives none.
        node: Where it runs or ran; empty before.
    """

    job_id: str
    array_task_id: int | None
    state: str
    reason: str = ""
    node: str = ""

    @property
    def task_id(self) -> str:
        """Return the id that SLURM's commands take, such as `123` or `123_4`."""
        return self.job_id if self.array_task_id is None else f"{self.job_id}_{self.array_task_id}"

    @property
    def open(self) -> bool:
        """Return whether it waits, runs, or will run again."""
        return self.state in QUEUED | UNDER_WAY | RUNS_AGAIN


def parse_squeue(text: str) -> list[JobState]:
    """Return the jobs in what `squeue --noheader --array -o SQUEUE_FORMAT` prints."""
    states = []
    for line in text.splitlines():
        task_id, state, node, reason = line.split("|", 3)
        states.append(
            JobState(*_split_id(task_id), state, "" if reason == "None" else reason, node)
        )
    return states


def parse_sacct(text: str) -> list[JobState]:
    """Return the jobs in what `sacct --noheader --parsable2 -X -o SACCT_FORMAT` prints.

    Tasks that have not started share a line, such as `123_[3-5%2]`; squeue lists them one by one,
    so these lines are left out.
    """
    states = []
    for line in text.splitlines():
        task_id, state, node, exit_code = line.split("|", 3)
        if "[" in task_id:
            continue
        word, _, by = state.partition(" ")  # "CANCELLED by 0"
        reason = by or ("" if exit_code == "0:0" else f"exit code {exit_code}")
        states.append(
            JobState(*_split_id(task_id), word, reason, "" if node == "None assigned" else node)
        )
    return states


def squeue(ids: Iterable[str]) -> list[JobState]:
    """Return the jobs that SLURM still holds: waiting, running, or over for less than MinJobAge.

    Args:
        ids: Such as `123`, which means all tasks of an array too, or `123_4`.

    Raises:
        SlurmError: If SLURM is missing or does not answer.
    """
    asked = set(ids)
    jobs = ",".join(sorted({task_id.split("_")[0] for task_id in asked}))
    options = ("--noheader", "--array", "--states=all", f"--format={SQUEUE_FORMAT}")
    try:
        text = run_slurm("squeue", *options, f"--jobs={jobs}") if jobs else ""
    except SlurmError as error:
        if "Invalid job id" not in str(error):
            raise
        text = ""  # it held that job once
    return [job for job in parse_squeue(text) if {job.job_id, job.task_id} & asked]


def query(ids: Sequence[str]) -> list[JobState]:
    """Return what SLURM knows of jobs, with one call of squeue and at most one of sacct.

    A job that neither knows is absent: sacct may be switched off, and squeue forgets.

    Raises:
        SlurmError: If SLURM is missing or does not answer.
    """
    held = squeue(ids)
    known = {job.task_id for job in held}
    missing = [task_id for task_id in ids if task_id not in known]
    return held + [job for job in _sacct(missing) if job.task_id not in known]


def _sacct(ids: Sequence[str]) -> list[JobState]:
    """Return what accounting knows of jobs: nothing where it is off or out of reach."""
    if not ids:
        return []
    jobs = ",".join(sorted({task_id.split("_")[0] for task_id in ids}))
    options = ("--noheader", "--parsable2", "--allocations", f"--format={SACCT_FORMAT}")
    try:
        text = run_slurm("sacct", *options, f"--jobs={jobs}")
    except SlurmError:
        return []
    return [job for job in parse_sacct(text) if {job.job_id, job.task_id} & set(ids)]


def _split_id(task_id: str) -> tuple[str, int | None]:
    """Return job id and array index of `123` or `123_4`."""
    found = re.fullmatch(r"(\d+)(?:_(\d+))?(?:\+\d+)?", task_id)
    if not found:
        raise ValueError(f"SLURM named a job {task_id!r}; expected such as 123 or 123_4")
    return found[1], int(found[2]) if found[2] else None
