"""Hands tasks to SLURM or to processes on this machine, through submitit."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from submitit.core.utils import FailedJobError
from submitit.helpers import clean_env, environment_variables
from submitit.local.local import LocalExecutor, LocalJob
from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

from slurm.commands import SlurmError, ask_slurm, one_line
from slurm.environment import TaskEnvironment
from slurm.profiles import Profile

Call = Callable[[], Any]
WEEK_MIN = 7 * 24 * 60
LOG_TAIL = 12


class SubmitError(SlurmError):
    """sbatch refused a job; the message is sbatch's own."""


def slurm_executor(
    profile: Profile, folder: Path, *, name: str, dependency: str | None = None
) -> SlurmExecutor:
    """Return submitit's executor with the profile's resources.

    Args:
        profile: What each task asks for.
        folder: Where submitit keeps pickles, logs and sbatch files.
        name: Of the jobs.
        dependency: As sbatch has it, such as `afterok:123`.

    Raises:
        SlurmError: If there is no SLURM here.
    """
    try:
        executor = SlurmExecutor(folder, max_num_timeout=profile.max_num_timeout)
    except RuntimeError:
        raise SlurmError("srun is not on this machine's PATH, so there is no SLURM here") from None
    executor.update_parameters(**_parameters(profile, name, dependency))
    return executor


def sbatch_text(
    profile: Profile,
    folder: Path,
    *,
    name: str,
    count: int = 1,
    dependency: str | None = None,
    python: str = sys.executable,
) -> str:
    """Return what `submit` would hand to sbatch for `count` tasks."""
    command = shlex.join([python, "-u", "-m", "submitit.core._submit", str(folder.absolute())])
    return str(
        _make_sbatch_string(
            command=command,
            folder=folder.absolute(),
            map_count=count if count > 1 else None,
            **_parameters(profile, name, dependency),
        )
    )


def test_only(text: str) -> str:
    """Return in one line what `sbatch --test-only` says to a batch script; nothing is queued.

    Raises:
        SlurmError: If there is no SLURM here.
    """
    with outside_jobs():
        answer = ask_slurm("sbatch", "--test-only", text=text)
    said = one_line(answer.stderr)
    return f"refused: {said}" if answer.returncode else f"accepted: {said}"


def submit(executor: SlurmExecutor, calls: Sequence[Call]) -> list[str]:
    """Submit calls as one array and return their ids: `123_0`, `123_1` ..., or `123` for one call.

    Raises:
        SubmitError: If sbatch refuses.
    """
    with outside_jobs(), contextlib.redirect_stderr(io.StringIO()):
        try:
            with executor.batch():
                jobs = [executor.submit(call) for call in calls]
        except FailedJobError as error:
            raise SubmitError(f"sbatch: {one_line(str(error))}") from None
    return [str(job.job_id) for job in jobs]


def run_local(
    calls: Sequence[Call],
    folder: Path,
    parallel: int,
    on_done: Callable[[int], None] = lambda _: None,
    gpus: Sequence[str] | None = None,
) -> list[str]:
    """Run calls in processes of this machine, at most `parallel` at once; return when all ended.

    Args:
        calls: What to run, in order.
        folder: Pickles and logs go to a new folder in it.
        parallel: Processes at once.
        on_done: Told the index of each call that ended.
        gpus: As CUDA_VISIBLE_DEVICES names them, dealt out to the processes in turn; those of
            this machine if not given.

    Returns:
        One text per failed call: what went wrong, where the log is, and its tail. A failed call
        does not stop the others.

    Raises:
        ValueError: If `parallel` is less than 1.
    """
    if parallel < 1:
        raise ValueError(f"parallel is {parallel}; it must be 1 or more")
    folder.mkdir(parents=True, exist_ok=True)
    executor = LocalExecutor(tempfile.mkdtemp(prefix="local-", dir=folder))
    executor.update_parameters(timeout_min=WEEK_MIN, stderr_to_stdout=True)
    devices = visible_gpus() if gpus is None else list(gpus)
    pending, running, errors = list(enumerate(calls)), dict[int, tuple[int, LocalJob[Any]]](), []
    try:
        while pending or running:
            for slot in range(parallel):
                if pending and slot not in running:
                    index, call = pending.pop(0)
                    running[slot] = index, _start(executor, call, devices, slot)
            for slot, (index, job) in list(running.items()):
                if job.done():
                    del running[slot]
                    if error := _error(job):
                        errors.append(f"task {index} failed: {error}")
                    on_done(index)
            time.sleep(0.05)
    finally:
        for _, job in running.values():
            job.cancel()
    return errors


def _start(executor: LocalExecutor, call: Call, gpus: Sequence[str], slot: int) -> LocalJob[Any]:
    """Start a call in a process that sees one GPU, or none where there is none."""
    executor.parameters["gpus_per_node"] = min(len(gpus), 1)
    executor.parameters["visible_gpus"] = [gpus[slot % len(gpus)]] if gpus else ()
    return executor.submit(call)


OWN_ERROR = r"(?:fundiff|jobs|manifests|slurm)\.[\w.]+: (.*)"
"""The last line of a traceback that ends in an error class of this project."""


def _error(job: LocalJob[Any]) -> str | None:
    """Return why a call that ended has no result, or None if it has one."""
    log: Path = job.paths.stdout
    if job.paths.result_pickle.is_file():
        outcome, result = job._get_outcome_and_result()
        if outcome == "success":
            return None
        why = str(result).strip().splitlines()[-1]
        if own := re.match(OWN_ERROR, why):  # meant for the user: one line says it all
            return own.group(1)
    else:
        why = "its process ended without a result"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return "\n    ".join([f"{why} (log: {log})", *lines[-LOG_TAIL:]])


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return list(TaskEnvironment.from_environ().gpus)
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


@contextlib.contextmanager
def outside_jobs() -> Iterator[None]:
    """Hide the variables of the job that this process runs in, so that new jobs inherit nothing.

    On a login node nothing is hidden: SBATCH_ACCOUNT and the like are the user's own defaults.
    SLURM_CONF says where the cluster is, and stays.
    """
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    where = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    with clean_env(), environment_variables(**where):
        yield


def _parameters(profile: Profile, name: str, dependency: str | None) -> dict[str, Any]:
    """Return submitit's names for what a profile asks for."""
    # submitit's own wckey cannot be unset, and is refused where wckeys are enforced.
    more: dict[str, Any] = {"wckey": "", "requeue": True}
    if dependency:
        more["kill_on_invalid_dep"] = "yes"  # or the job would wait for ever
    parameters = {
        "job_name": name,
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "gres": profile.gres,
        "gpus_per_node": profile.gpus_per_task,
        "ntasks_per_node": 1,
        "cpus_per_task": profile.cpus_per_task,
        "mem": None if profile.mem_gb is None else f"{round(profile.mem_gb * 1024)}MB",
        "time": profile.timeout_min,
        "signal_delay_s": profile.signal_delay_s,
        "constraint": profile.constraint,
        "exclude": profile.exclude,
        "nodelist": profile.nodelist,
        "dependency": dependency,
        "array_parallelism": profile.array_parallelism,
        "setup": list(profile.setup) or None,
        "stderr_to_stdout": True,
        # From SLURM 22.05 on, srun does not inherit --cpus-per-task from sbatch.
        "srun_args": [f"--cpus-per-task={profile.cpus_per_task}"],
        "additional_parameters": more,
    }
    return {key: value for key, value in parameters.items() if value is not None}
