"""Hands a planned run to SLURM, to processes on this machine, or to this process.

Whatever the cluster, the steps are the same functions of `jobs.steps`: encode the prompts, work
the shards, build the index; and for stage III, upscale what was picked.
"""

from collections.abc import Callable, Sequence

from jobs import steps
from jobs.journal import Submission, submitted_jobs
from manifests.files import read_json, write_json
from manifests.layout import RunFolder
from manifests.plan import read_plan
from manifests.progress import Progress, progress
from slurm.arrays import split
from slurm.executors import run_local, sbatch_text, slurm_executor, submit, test_only
from slurm.limits import ClusterLimits
from slurm.profiles import Profile
from slurm.states import query
from slurm.tasks import Task

ENCODE, WORK, INDEX = "jobs.steps:encode", "jobs.steps:work_shard", "jobs.steps:index"

Watch = Callable[[Progress], None]

Step = Callable[[str, int], bool]
"""A step that works an order by its number."""


def open_shards(folder: RunFolder) -> list[int]:
    """Return the shards of the plan without a marker."""
    planned = read_plan(folder.plan)
    return [row.shard for row in planned if not folder.done(row.shard).is_file()]


def run_inline(folder: RunFolder, watch: Watch) -> None:
    """Run all steps in this process."""
    steps.encode(str(folder.path))
    watch(progress(folder))
    for shard in open_shards(folder):
        steps.work_shard(str(folder.path), shard)
        watch(progress(folder))
    steps.index(str(folder.path))


def run_processes(folder: RunFolder, parallel: int, watch: Watch) -> list[str]:
    """Run the steps in processes of this machine, at most `parallel` at once.

    Returns:
        What went wrong, one line per failed task; the others are done.
    """
    run = str(folder.path)

    def tick(_: int) -> None:
        watch(progress(folder))

    errors = run_local([Task(ENCODE, run)], folder.slurm, 1, tick)
    if not errors:
        tasks = [Task(WORK, run, shard) for shard in open_shards(folder)]
        errors = run_local(tasks, folder.slurm, parallel, tick)
        steps.index(run)
    return errors


def submit_slurm(folder: RunFolder, profile: Profile, limits: ClusterLimits) -> list[str]:
    """Submit the steps as dependent SLURM jobs; return all job ids, in order.

    What is to be submitted is written to the journal before, and the ids after each submission.
    Prompts are encoded first; the shards follow in arrays no larger than the cluster allows; the
    index is built when all of them have ended, however they did.

    Raises:
        SlurmError: If sbatch refuses, with its own words.
        ValueError: If jobs of this run were submitted before and may still be under way.
    """
    if waiting := [job.task_id for job in query(submitted_jobs(folder)) if job.open]:
        raise ValueError(
            f"{folder.path} still has {len(waiting)} tasks in SLURM ({waiting[0]} ...); "
            "wait for them, or `scancel` them and submit again"
        )
    run, shards = str(folder.path.resolve()), open_shards(folder)
    submission = Submission(folder, profile.name, shards)
    submission.note()

    def send(name: str, tasks: Sequence[Task], dependency: str | None) -> list[str]:
        executor = slurm_executor(profile, folder.slurm, name=name, dependency=dependency)
        ids = submit(executor, tasks)
        submission.note(*ids)
        return ids

    (encoding,) = send("fundiff-encode", [Task(ENCODE, run)], None)
    arrays = []
    for part in split(len(shards), limits.max_array_size):
        chosen = shards[part.offset : part.offset + part.count]
        ids = send("fundiff", [Task(WORK, run, s) for s in chosen], f"afterok:{encoding}")
        arrays.append(ids[0].split("_")[0])
    send("fundiff-index", [Task(INDEX, run)], "afterany:" + ":".join(arrays))
    return submission.jobs


def describe_slurm(
    folder: RunFolder, profile: Profile, limits: ClusterLimits, shards: int
) -> list[str]:
    """Return what `submit_slurm` would submit, the cluster's limits and what it says to it."""
    arrays = split(shards, limits.max_array_size)
    sizes = ", ".join(str(part.count) for part in arrays)
    after = ":".join(f"ARRAY_{n}" for n in range(1, len(arrays) + 1))
    jobs: list[tuple[str, int, str | None]] = [
        ("fundiff-encode", 1, None),
        *(("fundiff", part.count, "afterok:ENCODE") for part in arrays),
        ("fundiff-index", 1, f"afterany:{after}"),
    ]
    lines = [f"arrays of {sizes} tasks", f"limits: {limits}"]
    for name, count, dependency in jobs:
        # The ids of the dependency are not known yet, so SLURM is asked without it.
        verdict = test_only(sbatch_text(profile, folder.slurm, name=name, count=count))
        text = sbatch_text(profile, folder.slurm, name=name, count=count, dependency=dependency)
        lines += ["", f"--- {name}: {verdict}", text]
    return lines


def run_order(
    folder: RunFolder, step: Step, number: int, cluster: str, profile: Profile
) -> list[str]:
    """Work an order for a step in this process, in another one, or as a SLURM job.

    Args:
        folder: Of the run.
        step: `steps.upscale` or `steps.score`.
        number: Of the order.
        cluster: `slurm`, `local` or `inline`.
        profile: SLURM resources.

    Returns:
        What there is to say: errors, or the id of the job.

    Raises:
        SlurmError: If sbatch refuses.
        ValueError: If a job of this order may still be under way.
    """
    run, name = str(folder.path.resolve()), step.__name__
    if cluster == "inline":
        step(run, number)
        return []
    task = Task(f"{step.__module__}:{name}", run, number)
    if cluster == "local":
        return run_local([task], folder.slurm, 1)
    journal = folder.journal / f"{name}-{number:05d}.json"
    before = read_json(journal)["jobs"] if journal.is_file() else []
    if waiting := [job.task_id for job in query(before) if job.open]:
        raise ValueError(f"this order is still in SLURM as job {waiting[0]}; wait for it")
    executor = slurm_executor(profile, folder.slurm, name=f"fundiff-{name}")
    (job,) = submit(executor, [task])
    write_json(journal, {"jobs": [*before, job]})
    return [f"submitted job {job}; what it makes will be in {folder.path}"]
