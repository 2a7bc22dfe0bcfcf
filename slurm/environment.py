"""What a process knows of the SLURM task it runs in; everything has a value outside SLURM too."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskEnvironment:
    """The task that this process works for.

    Attributes:
        job_id: The task as SLURM's commands name it, such as `123` or `123_4`; none outside SLURM.
        array_job_id: The array that it belongs to.
        array_task_id: Its index in the array.
        restart_count: How often SLURM has started it again.
        node: Name of the node.
        cpus: CPUs that it may use.
        gpus: GPUs that it may use, as CUDA_VISIBLE_DEVICES names them.
    """

    job_id: str | None
    array_job_id: str | None
    array_task_id: int | None
    restart_count: int
    node: str
    cpus: int
    gpus: tuple[str, ...]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "TaskEnvironment":
        """Return what the environment variables say."""
        array, index = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
        job_id = f"{array}_{index}" if array and index else environ.get("SLURM_JOB_ID")
        gpus = environ.get("CUDA_VISIBLE_DEVICES", "")
        return cls(
            job_id=job_id,
            array_job_id=array if index else None,
            array_task_id=int(index) if array and index else None,
            restart_count=int(environ.get("SLURM_RESTART_COUNT", 0)),
            node=environ.get("SLURMD_NODENAME") or socket.gethostname(),
            cpus=int(environ.get("SLURM_CPUS_PER_TASK", 0)) or len(os.sched_getaffinity(0)),
            gpus=tuple(name for name in gpus.split(",") if name and name != "NoDevFiles"),
        )
