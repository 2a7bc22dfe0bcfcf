"""Reading what squeue and sacct print."""

import pytest

from slurm.states import JobState, parse_sacct, parse_squeue

SQUEUE = """\
18|CANCELLED|n1|None
16_0|COMPLETED|n1|None
16_2|PENDING||JobArrayTaskLimit
17_0|PENDING||Dependency
15|PENDING||JobHeldUser
20|PENDING||ReqNodeNotAvail, UnavailableNodes:n[1-2]
19|RUNNING|n2|None
"""

SACCT = """\
4|FAILED|n1|1:0
3_0|COMPLETED|n1|0:0
9|COMPLETED|n[1-2]|0:0
10|CANCELLED by 0|n1|0:0
16_[3-4%2]|PENDING|None assigned|0:0
21|CANCELLED by 1000|None assigned|0:0
12|TIMEOUT|n1|0:0
13|OUT_OF_MEMORY|n2|0:125
"""


def test_recorded_squeue_lines_are_understood():
    """Plain jobs and tasks of arrays, with and without node and reason."""
    assert parse_squeue(SQUEUE) == [
        JobState("18", None, "CANCELLED", "", "n1"),
        JobState("16", 0, "COMPLETED", "", "n1"),
        JobState("16", 2, "PENDING", "JobArrayTaskLimit", ""),
        JobState("17", 0, "PENDING", "Dependency", ""),
        JobState("15", None, "PENDING", "JobHeldUser", ""),
        JobState("20", None, "PENDING", "ReqNodeNotAvail, UnavailableNodes:n[1-2]", ""),
        JobState("19", None, "RUNNING", "", "n2"),
    ]


def test_recorded_sacct_lines_are_understood():
    """Who cancelled is a reason, an exit code too; the waiting rest of an array is squeue's."""
    assert parse_sacct(SACCT) == [
        JobState("4", None, "FAILED", "exit code 1:0", "n1"),
        JobState("3", 0, "COMPLETED", "", "n1"),
        JobState("9", None, "COMPLETED", "", "n[1-2]"),
        JobState("10", None, "CANCELLED", "by 0", "n1"),
        JobState("21", None, "CANCELLED", "by 1000", ""),
        JobState("12", None, "TIMEOUT", "", "n1"),
        JobState("13", None, "OUT_OF_MEMORY", "exit code 0:125", "n2"),
    ]


@pytest.mark.parametrize("parse", [parse_squeue, parse_sacct])
def test_no_lines_are_no_jobs(parse):
    """SLURM knows nothing of the jobs asked for."""
    assert parse("") == []


def test_a_line_without_a_job_id_is_named():
    """What is no job id is a change in SLURM's format, not a job."""
    with pytest.raises(ValueError, match=r"'JOBID'.*123_4"):
        parse_squeue("JOBID|STATE|NODELIST|REASON")


@pytest.mark.parametrize(("job", "task_id"), [(("7", None), "7"), (("7", 0), "7_0")])
def test_the_task_id_is_what_commands_take(job, task_id):
    """With the index of the array where there is one, 0 included."""
    assert JobState(*job, "RUNNING").task_id == task_id


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        *((s, True) for s in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED")),
        *((s, True) for s in ("NODE_FAIL", "PREEMPTED")),
        *((s, False) for s in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY")),
    ],
)
def test_jobs_that_slurm_runs_again_are_open(state, is_open):
    """A dead node and a preemption put a job back into the queue; the other ends are ends."""
    assert JobState("7", None, state).open is is_open
