"""Our executors and tasks on a real SLURM: arrays, dependencies, and every way to run again."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm import executors
from slurm.arrays import split
from slurm.executors import SubmitError, sbatch_text, slurm_executor, submit
from slurm.limits import read_limits
from slurm.profiles import Profile
from slurm.states import query
from slurm.tasks import Task
from tests.slurm.cluster import MAX_ARRAY_SIZE, Cluster

pytestmark = pytest.mark.slurm

PROFILE = Profile("test", gpus_per_task=1, mem_gb=0.25, timeout_min=30)


@pytest.fixture
def send(cluster: Cluster, tmp_path: Path) -> Callable[..., list[str]]:
    """Submit functions of `workers` for the run tmp_path; return the ids."""

    def send_tasks(
        function: str, shards: range | None = None, dependency: str | None = None
    ) -> list[str]:
        name, run = f"tests.slurm.workers:{function}", str(tmp_path)
        tasks = [Task(name, run)] if shards is None else [Task(name, run, n) for n in shards]
        executor = slurm_executor(PROFILE, tmp_path / "slurm", name="test", dependency=dependency)
        return submit(executor, tasks)

    return send_tasks


def wait_until_over(cluster: Cluster, ids: list[str], timeout_s: float = 60) -> dict[str, str]:
    """Wait until no job is open; return their states. Requeued jobs are hurried up."""

    def states() -> dict[str, str] | None:
        cluster.start_requeued()
        jobs = query(ids)
        return None if any(job.open for job in jobs) else {j.task_id: j.state for j in jobs}

    found = cluster.wait_for(states, timeout_s, f"jobs {', '.join(ids)} to end")
    assert found is not None
    return found


def rounds(run: Path, shard: int = 0) -> list[list[str]]:
    """Return what `workers` left of each round: process, restarts, node, GPUs."""
    file = run / f"rounds-{shard}"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def wait_for_first_round(cluster: Cluster, run: Path) -> int:
    """Wait until the task works; return its process."""
    (first,) = cluster.wait_for(lambda: rounds(run), 30, "the first round")
    return int(first[0])


def test_a_plan_larger_than_an_array_runs_on_both_nodes(cluster, send, tmp_path):
    """Every shard runs once, with one GPU of its own, in arrays that the cluster accepts."""
    parts = split(8, read_limits().max_array_size)
    ids = [i for p in parts for i in send("record", range(p.offset, p.offset + p.count))]
    arrays = {task_id.split("_")[0] for task_id in ids}
    assert (len(ids), len(arrays)) == (8, 2)

    assert wait_until_over(cluster, ids) == dict.fromkeys(ids, "COMPLETED")

    once = [rounds(tmp_path, shard) for shard in range(8)]
    assert [len(lines) for lines in once] == [1] * 8
    assert {line[0][2] for line in once} == {"n1", "n2"}
    assert all(len(line[0][3].split(",")) == 1 for line in once)


def test_steps_that_depend_on_each_other_run_in_order(cluster, send, tmp_path):
    """The shards find the prompts encoded, the index finds the results of all shards."""
    (encoding,) = send("encode")
    shards = send("draw", range(3), f"afterok:{encoding}")
    (index,) = send("index", None, f"afterany:{shards[0].split('_')[0]}")

    states = wait_until_over(cluster, [encoding, *shards, index])

    assert states == dict.fromkeys([encoding, *shards, index], "COMPLETED")
    assert (tmp_path / "index").read_text().split() == ["result-0", "result-1", "result-2"]


def test_shards_whose_first_step_failed_do_not_wait_for_ever(cluster, send):
    """SLURM would hold them with DependencyNeverSatisfied until someone looks."""
    (failing,) = send("fail")
    shards = send("draw", range(2), f"afterok:{failing}")

    states = wait_until_over(cluster, [failing, *shards])

    assert states == {failing: "FAILED", **dict.fromkeys(shards, "CANCELLED")}


def test_a_launcher_that_runs_in_a_job_submits_jobs_of_their_own(cluster, send, tmp_path):
    """The inner job asks for no GPU and gets none, though the outer one has one."""
    (outer,) = send("launch")
    assert wait_until_over(cluster, [outer]) == {outer: "COMPLETED"}
    inner = (tmp_path / "launched").read_text()
    assert wait_until_over(cluster, [inner]) == {inner: "COMPLETED"}
    assert (tmp_path / "encoded").exists()
    resources = {job: cluster.run("scontrol", "show", "job", job) for job in (outer, inner)}
    assert "gres/gpu=1" in resources[outer]
    assert "gres/gpu" not in resources[inner]


def kill_then_requeue(cluster: Cluster, job: str, process: int) -> None:
    os.kill(process, signal.SIGKILL)
    cluster.wait_for(lambda: query([job])[0].state == "FAILED", 30, "the killed task to fail")
    cluster.requeue(job)


def be_urgent(cluster: Cluster, job: str, process: int) -> None:
    cluster.sbatch("true", "--partition=urgent", "--nodes=2", "--gres=gpu:4")


@pytest.mark.parametrize(
    ("disturb", "stops"),
    [
        (kill_then_requeue, False),
        (lambda cluster, job, _: cluster.requeue(job), True),
        (lambda cluster, job, _: cluster.scancel("--signal=USR2", job), True),
        (lambda cluster, job, _: cluster.scancel("--signal=TERM", job), True),
        (be_urgent, True),
    ],
    ids=["kill -9", "scontrol requeue", "USR2", "TERM", "preemption"],
)
def test_a_disturbed_task_runs_again(cluster, send, tmp_path, disturb, stops):
    """Once, under its own id; wherever it had time to, it stopped where it may."""
    (job,) = send("wait_in_first_round", range(1))
    process = wait_for_first_round(cluster, tmp_path)

    disturb(cluster, job, process)

    assert wait_until_over(cluster, [job]) == {job: "COMPLETED"}
    assert [line[1] for line in rounds(tmp_path)] == ["0", "1"]
    assert (tmp_path / "stopped-0").exists() is stops


def test_a_task_of_an_array_runs_again_and_its_neighbour_does_not(cluster, send, tmp_path):
    """The id `123_0` is requeued alone."""
    ids = send("wait_in_first_round", range(2))
    cluster.wait_for(lambda: rounds(tmp_path, 0) and rounds(tmp_path, 1), 30, "both tasks")

    cluster.scancel("--signal=USR2", ids[0])
    cluster.wait_for(lambda: query(ids[:1])[0].state == "PENDING", 30, "the first to wait")
    assert not (tmp_path / "stopped-1").exists()
    assert len(rounds(tmp_path, 1)) == 1
    cluster.scancel("--signal=USR2", ids[1])

    assert wait_until_over(cluster, ids) == dict.fromkeys(ids, "COMPLETED")
    assert [len(rounds(tmp_path, shard)) for shard in (0, 1)] == [2, 2]


def test_a_torn_pickle_of_an_earlier_attempt_stops_nobody(cluster, send, tmp_path):
    """The next attempt would refuse to write its own pickle beside a stale temporary one."""
    (job,) = send("wait_in_first_round", range(1))
    wait_for_first_round(cluster, tmp_path)
    (tmp_path / "slurm" / f"{job}_submitted.pkl.save_tmp").write_bytes(b"torn")

    cluster.scancel("--signal=USR2", job)

    assert wait_until_over(cluster, [job]) == {job: "COMPLETED"}
    assert len(rounds(tmp_path)) == 2


def test_a_cancelled_task_stops_and_stays_cancelled(cluster, send, tmp_path):
    """It gets TERM as a preempted one does, but must not ask to be requeued."""
    (job,) = send("wait_in_first_round", range(1))
    wait_for_first_round(cluster, tmp_path)

    cluster.scancel(job)

    assert wait_until_over(cluster, [job]) == {job: "CANCELLED"}
    assert (tmp_path / "stopped-0").exists()
    log = (tmp_path / "slurm" / f"{job}_0_log.out").read_text()
    assert "Requeued" not in log


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"partition": "nope"}, "invalid partition specified: nope"),
        ({"gpus_per_task": 9}, "Requested node configuration is not available"),
    ],
)
def test_a_refusal_is_one_line_in_sbatchs_own_words(cluster, tmp_path, capfd, changed, words):
    """Nothing else is printed, and nothing is queued."""
    profile = Profile("test", **changed)
    executor = slurm_executor(profile, tmp_path, name="test")
    with pytest.raises(SubmitError, match=words) as caught:
        submit(executor, [Task("tests.slurm.workers:encode", str(tmp_path))])
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert cluster.squeue() == []


@pytest.mark.parametrize(
    ("profile", "count", "verdict"),
    [
        (PROFILE, 1, "accepted: sbatch: Job"),
        (PROFILE, MAX_ARRAY_SIZE, "accepted: sbatch: Job"),
        (PROFILE, MAX_ARRAY_SIZE + 1, "refused: allocation failure: Invalid job array"),
        (Profile("test", partition="nope"), 1, "refused: invalid partition specified: nope"),
    ],
)
def test_the_verdict_of_a_dry_run_is_slurms(cluster, tmp_path, profile, count, verdict):
    """Accepted or refused, with the reason, and nothing is queued."""
    text = sbatch_text(profile, tmp_path, name="test", count=count)
    assert executors.test_only(text).startswith(verdict)
    assert cluster.squeue() == []


def test_jobs_unknown_to_slurm_are_absent(cluster):
    """Neither squeue nor sacct has heard of them."""
    assert query(["999998"]) == query(["999998", "999999_3"]) == []


def test_states_are_known_without_accounting(cluster, send, monkeypatch, tmp_path):
    """What squeue says is enough while SLURM holds the job."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "sacct").write_text("#!/bin/sh\necho accounting is disabled >&2; exit 1\n")
    (commands / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    assert subprocess.run(["sacct"], capture_output=True, check=False).returncode == 1

    ids = send("record", range(2))

    assert {job.task_id for job in query([ids[0].split("_")[0]])} == set(ids)
    assert wait_until_over(cluster, ids) == dict.fromkeys(ids, "COMPLETED")
