"""What is known of a run: its files first, then what SLURM says of its jobs."""

from collections import Counter
from dataclasses import dataclass, field

from jobs.journal import submitted_jobs
from manifests.layout import RunFolder
from manifests.progress import Progress, progress
from slurm.commands import SlurmError
from slurm.states import query


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as `fundiff status` shows it.

    Attributes:
        progress: From the run's files.
        jobs: SLURM state -> tasks, of the last submission.
        notes: What a person should know.
        over: Whether nothing more will happen by itself.
    """

    progress: Progress
    jobs: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    over: bool = False


def run_state(folder: RunFolder) -> RunState:
    """Return the state of a run; SLURM is asked only while shards are open."""
    now = progress(folder)
    ids = submitted_jobs(folder)
    if not ids or not now.unfinished:
        return RunState(now, over=not now.unfinished)
    try:
        jobs = query(ids)
    except SlurmError as error:
        return RunState(now, notes=(f"SLURM does not answer: {error}",))
    states = Counter(job.state for job in jobs)
    if any(job.open for job in jobs):
        return RunState(now, dict(states))
    note = (
        f"{len(now.unfinished)} shards are open and no job of this run is left; "
        f"the logs are in {folder.slurm}, and the same `fundiff submit` again goes on"
    )
    return RunState(now, dict(states), (note,), over=True)
