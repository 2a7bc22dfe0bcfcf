"""What the cluster allows and can do, from `scontrol show config`."""

import re
from dataclasses import dataclass

from slurm.commands import run_slurm

UNLIMITED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class ClusterLimits:
    """The part of SLURM's configuration that decides how a run is submitted.

    Attributes:
        max_array_size: Tasks of an array, and one more than its largest index: MaxArraySize, or
            less where `max_array_tasks` says so.
        max_job_count: Jobs the controller holds at once, of all users together.
        version: Of SLURM, such as `22.05.8`.
        preempt_send_user_signal: Whether a preempted task is sent USR2 and so can stop cleanly.
        job_requeue: Whether jobs are requeued after a node failure or preemption.
        accounting: Whether sacct knows jobs that are over.
        kill_wait_s: Seconds between TERM and KILL.
        min_job_age_s: How long squeue knows a job that is over.
    """

    max_array_size: int
    max_job_count: int
    version: str
    preempt_send_user_signal: bool
    job_requeue: bool
    accounting: bool
    kill_wait_s: int
    min_job_age_s: int


def parse_limits(text: str) -> ClusterLimits:
    """Return the limits in the text that `scontrol show config` prints."""
    config = dict(re.findall(r"^(\w+)\s*= ?(.*?)\s*$", text, re.MULTILINE))

    def number(name: str, default: int) -> int:
        found = re.match(r"\d+", config.get(name, ""))
        return int(found.group()) if found else default

    tasks = re.search(r"max_array_tasks=(\d+)", config.get("SchedulerParameters", ""))
    max_array_size = number("MaxArraySize", 1001)
    return ClusterLimits(
        max_array_size=min(max_array_size, int(tasks[1])) if tasks else max_array_size,
        max_job_count=number("MaxJobCount", UNLIMITED),
        version=config.get("SLURM_VERSION", ""),
        preempt_send_user_signal="preempt_send_user_signal"
        in config.get("SlurmctldParameters", ""),
        job_requeue=number("JobRequeue", 1) == 1,
        accounting=config.get("AccountingStorageType", "").endswith("slurmdbd"),
        kill_wait_s=number("KillWait", 30),
        min_job_age_s=number("MinJobAge", 300),
    )


def read_limits() -> ClusterLimits:
    """Return the limits of the cluster that this machine belongs to.

    Raises:
        SlurmError: If there is no SLURM here, or it does not answer.
    """
    return parse_limits(run_slurm("scontrol", "show", "config"))
