"""Reading the environment of a task."""

import os
import socket

from slurm.environment import TaskEnvironment

TASK = {
    "SLURM_JOB_ID": "130",
    "SLURM_ARRAY_JOB_ID": "123",
    "SLURM_ARRAY_TASK_ID": "4",
    "SLURM_RESTART_COUNT": "2",
    "SLURMD_NODENAME": "n1",
    "SLURM_CPUS_PER_TASK": "8",
    "CUDA_VISIBLE_DEVICES": "0,3",
}


def test_a_task_of_an_array_knows_where_it_is():
    """Its id is the array's with the index, not the raw job id that SLURM gives each task."""
    assert TaskEnvironment.from_environ(TASK) == TaskEnvironment(
        job_id="123_4",
        array_job_id="123",
        array_task_id=4,
        restart_count=2,
        node="n1",
        cpus=8,
        gpus=("0", "3"),
    )


def test_a_plain_job_has_no_array():
    """Its id is the job id; it has not been started again."""
    here = TaskEnvironment.from_environ({"SLURM_JOB_ID": "130"})
    assert (here.job_id, here.array_job_id, here.array_task_id) == ("130", None, None)
    assert here.restart_count == 0


def test_outside_slurm_there_is_no_job_but_a_machine():
    """Node and CPUs are those of this process."""
    assert TaskEnvironment.from_environ({}) == TaskEnvironment(
        job_id=None,
        array_job_id=None,
        array_task_id=None,
        restart_count=0,
        node=socket.gethostname(),
        cpus=len(os.sched_getaffinity(0)),
        gpus=(),
    )


def test_no_gpu_is_no_gpu():
    """SLURM writes NoDevFiles where it gave none, submitit an empty string."""
    assert TaskEnvironment.from_environ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}).gpus == ()
    assert TaskEnvironment.from_environ({"CUDA_VISIBLE_DEVICES": ""}).gpus == ()
