"""Prepares a run and hands its steps to SLURM, to local processes, or to this process.

Whatever the cluster, the steps are the same three functions: encode the prompts, work the shards,
build the index.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.planning import plan_shards
from manifests.files import write_json
from manifests.layout import RunFolder
from manifests.manifest import count_requests
from manifests.plan import read_plan
from slurm.arrays import ArraySlice, split
from slurm.limits import read_limits
from slurm.profiles import Profile
from slurm.tasks import Task

ENCODE, WORK, INDEX = "jobs.steps:encode", "jobs.steps:work_shard", "jobs.steps:index"
