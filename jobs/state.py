"""What is known of a run: its files first, then what SLURM says of its jobs."""

from collections import Counter
from dataclasses import dataclass, field

from jobs.journal import submitted_jobs
from manifests.layout import RunFolder
from manifests.progress import Progress, progress
from slurm.states import query


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as `fundiff status` shows it.

    Attributes:
        progress: From the run's files.
        jobs: SLURM state -> tasks, of the last submission.
        notes: What a person should know.
    """

    progress: Progress
    jobs: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_state(folder: RunFolder) -> RunState:
    """Return the state of a run; SLURM is asked only while shards are open."""
    now = progress(folder)
    ids = submitted_jobs(folder)
    if not ids or not now.unfinished:
        return RunState(now)
    states = Counter(job.state for job in query(ids))
    if states:
        return RunState(now, dict(states))
    note = (
        f"{len(now.unfinished)} shards are open and SLURM knows no job of this run; "
        "submit it again with the same options to go on"
    )
    return RunState(now, notes=(note,))
