"""The SLURM that the tests start does what the tests of the launcher rely on."""

import sys
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, ClusterError

pytestmark = pytest.mark.slurm

# Each round of a job leaves a line, and the first one waits to be interrupted. None ends at
# once: accounting may miss parts of a job that starts and ends within the same second.
FIRST_ROUND_WAITS = """
echo "round on $SLURMD_NODENAME" >> {log}
[ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] || sleep 120
sleep 2
"""


def rounds(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def finished(cluster: Cluster, job: str) -> dict[str, str]:
    """The job's row in accounting once that says COMPLETED; a requeued job is hurried up."""

    def row() -> dict[str, str] | None:
        cluster.start_requeued()
        rows = cluster.sacct(f"--jobs={job}")
        return rows[0] if rows and rows[0]["State"] == "COMPLETED" else None

    found = cluster.wait_for(row, 60, f"job {job} to be COMPLETED in accounting")
    assert found is not None
    return found


def test_two_nodes_are_idle_with_eight_gpus(cluster: Cluster):
    """Both nodes are up and each has four GPUs."""
    assert cluster.sinfo() == {
        "n1": {"state": "idle", "gres": "gpu:4"},
        "n2": {"state": "idle", "gres": "gpu:4"},
    }


def test_a_job_runs_and_accounting_records_it(cluster: Cluster):
    """A job sees the GPUs that it asked for, and sacct knows it afterwards."""
    job = cluster.sbatch("echo gpus $CUDA_VISIBLE_DEVICES; sleep 2", "--gres=gpu:2")

    row = finished(cluster, job)

    # Not its name: where the record of the start comes late, SLURM enters it as "allocation".
    assert row["ExitCode"] == "0:0"
    assert "gres/gpu=2" in row["AllocTRES"]
    assert (cluster.folder / f"job-{job}.out").read_text() == "gpus 0,1\n"


def test_a_job_step_finds_this_python_and_this_code(cluster: Cluster, tmp_path: Path):
    """Any folder will do to submit from: python is ours, and our four packages are importable."""
    packages = "fundiff jobs manifests slurm"
    code = (
        "import importlib.util, sys; print(sys.executable);"
        f"print(*(n for n in '{packages}'.split() if importlib.util.find_spec(n)))"
    )
    job = cluster.sbatch(f'srun python -c "{code}"; sleep 2', f"--chdir={tmp_path}")

    finished(cluster, job)

    printed = (cluster.folder / f"job-{job}.out").read_text().splitlines()
    assert printed == [sys.executable, packages]


def test_an_array_index_of_five_is_refused(cluster: Cluster):
    """MaxArraySize caps the index: 0-4 is the largest array, so that runs are split early."""
    with pytest.raises(ClusterError, match="Invalid job array specification"):
        cluster.sbatch("true", "--array=0-5")

    job = cluster.sbatch("sleep 2", "--array=0-4")

    states = ["COMPLETED"] * 5
    cluster.wait_for(
        lambda: [row["State"] for row in cluster.sacct(f"--jobs={job}")] == states,
        30,
        "five completed tasks",
    )


def test_a_requeued_job_runs_again(cluster: Cluster, tmp_path: Path):
    """`scontrol requeue` ends the first round and starts a second one under the same id."""
    log = tmp_path / "rounds"
    job = cluster.sbatch(FIRST_ROUND_WAITS.format(log=log))
    cluster.wait_for(lambda: len(rounds(log)) == 1, 20, "the first round")

    cluster.requeue(job)

    finished(cluster, job)
    assert len(rounds(log)) == 2


@pytest.mark.slow
def test_an_urgent_job_sends_a_gpu_job_back_to_the_queue(cluster: Cluster, tmp_path: Path):
    """The preempted job gets the signal it asked for, is ended after its grace, and runs again."""
    log = tmp_path / "rounds"
    outlive_signal = f"""
    echo round >> {log}
    trap 'echo signalled >> {log}' USR2
    [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] || for i in $(seq 600); do sleep 0.2; done
    sleep 2
    """
    job = cluster.sbatch(outlive_signal, "--nodes=2", "--gres=gpu:4", "--signal=B:USR2@30")
    cluster.wait_for(lambda: len(rounds(log)) == 1, 20, "the first round")

    urgent = cluster.sbatch("sleep 2", "--partition=urgent", "--nodes=2", "--gres=gpu:4")

    finished(cluster, urgent)
    finished(cluster, job)
    assert rounds(log) == ["round", "signalled", "round"]


@pytest.mark.slow
def test_the_job_of_a_killed_node_goes_back_to_the_queue(cluster: Cluster, tmp_path: Path):
    """The controller misses the node, and the job starts over on the other one."""
    log = tmp_path / "rounds"
    job = cluster.sbatch(FIRST_ROUND_WAITS.format(log=log), "--nodelist=n1")
    cluster.wait_for(lambda: len(rounds(log)) == 1, 20, "the first round")

    cluster.kill_node("n1")

    cluster.wait_for(
        lambda: cluster.state(job) == "PENDING", 60, "the killed node's job to be queued again"
    )
    cluster.start_node("n1")
    finished(cluster, job)
    assert len(rounds(log)) == 2
