"""The same manifest through a real SLURM and in this process: the same index, to the bit."""

import os
import signal
from pathlib import Path

import pytest

from jobs.config import RunConfig
from jobs.journal import submitted_jobs
from jobs.launching import Launch, launch
from jobs.submitting import open_shards, run_inline, submit_slurm
from manifests.files import read_json
from manifests.index import build_index, same_rows
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.records import Request
from manifests.results import drafts, markers, parts
from slurm.limits import read_limits
from slurm.profiles import Profile
from slurm.states import query
from tests.jobs.conftest import SHORT, every_kind

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

PROFILE = Profile(
    name="test", partition="gpu", gres="gpu:1", cpus_per_task=1, mem_gb=2, timeout_min=30
)
TIMEOUT_S = 420


def forty_requests() -> list[Request]:
    """Forty small requests of all kinds."""
    few = {**SHORT, "candidates": 3, "want": 1, "max_candidates": 3}
    kinds = len(every_kind())
    return [every_kind(**few, seed=n)[n % kinds] for n in range(40)]


@pytest.fixture(scope="module")
def inline(tmp_path_factory, tiny_if) -> RunFolder:
    """The forty requests, run in this process."""
    from jobs.planning import plan_run

    folder = RunFolder(tmp_path_factory.mktemp("inline") / "run")
    config = RunConfig(model=str(tiny_if), stage_1_lanes=6, stage_2_lanes=4)
    plan_run(forty_requests(), folder, config, 40)
    run_inline(folder, lambda _: None)
    return folder


def wait_until_over(cluster, folder: RunFolder) -> None:
    """Wait until SLURM holds no open task of the run."""
    ids = submitted_jobs(folder)
    cluster.wait_for(
        lambda: not any(job.open for job in query(ids)), TIMEOUT_S, "the run's tasks to end"
    )


def processes_of(task_id: str) -> list[int]:
    """Return the Python processes of an array element, such as `12_3`."""
    array, _, index = task_id.partition("_")
    wanted = {f"SLURM_ARRAY_JOB_ID={array}".encode(), f"SLURM_ARRAY_TASK_ID={index}".encode()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = set((folder / "environ").read_bytes().split(b"\0"))
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if wanted <= environ and b"SLURM_PROCID=0" in environ and b"submitit" in command:
            found.append(int(folder.name))
    return found


def test_a_run_over_an_array_equals_the_run_in_one_process(slurm_cluster, plan, inline, tmp_path):
    """Eight shards on two nodes, split into two arrays; every candidate once."""
    folder = plan("slurm", forty_requests(), 5)
    limits = read_limits()
    assert len(open_shards(folder)) == 8 > limits.max_array_size
    jobs = submit_slurm(folder, PROFILE, limits)
    arrays = [job for job in jobs if "_" in job]
    assert len(arrays) == 8
    assert len({job.split("_")[0] for job in arrays}) == 2
    with pytest.raises(ValueError, match=r"still has \d+ tasks in SLURM"):
        submit_slurm(folder, PROFILE, limits)

    wait_until_over(slurm_cluster, folder)
    assert {job.state for job in query(jobs)} == {"COMPLETED"}
    assert {job.node for job in query(arrays)} == {"n1", "n2"}
    assert open_shards(folder) == []
    assert sum(marker.candidates for marker in markers(folder)) == 40 * 3
    assert same_rows(folder.index, inline.index)

    source, profile = tmp_path / "again.parquet", tmp_path / "any.toml"
    write_manifest(forty_requests(), source)
    profile.write_text("timeout_min = 60\n")
    model = RunConfig.from_json(read_json(folder.run_json)).model
    again = Launch(source, folder.path, "slurm", model, lanes=6, stage_2_lanes=4,
                   requests_per_shard=5, profile=str(profile))  # fmt: skip
    assert "nothing to draw" in launch(again, lambda _: None)[0]
    assert submitted_jobs(folder) == jobs


def test_a_task_that_is_killed_and_requeued_changes_nothing(slurm_cluster, plan, inline):
    """SIGKILL in the middle of a shard, then scontrol requeue."""
    folder = plan("killed", forty_requests(), 10, flush_s=0.0)
    jobs = submit_slurm(folder, PROFILE, read_limits())
    victim = next(job for job in jobs if "_" in job)

    def in_the_middle() -> list[int]:
        written = parts(folder, 0) and drafts(folder, 0)
        return processes_of(victim) if written and not folder.done(0).exists() else []

    pids = slurm_cluster.wait_for(in_the_middle, TIMEOUT_S, "a part and a draft of shard 0")
    before = [path.name for path in parts(folder, 0)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    slurm_cluster.wait_for(
        lambda: [j for j in query([victim]) if not j.open], TIMEOUT_S, "the killed task to end"
    )
    assert not folder.done(0).exists()
    slurm_cluster.requeue(victim)

    def done_again() -> bool:
        slurm_cluster.start_requeued()
        return folder.done(0).exists()

    slurm_cluster.wait_for(done_again, TIMEOUT_S, "the requeued shard")
    wait_until_over(slurm_cluster, folder)

    marker = markers(folder)[0]
    assert set(before) <= {file.name for file in marker.files}
    assert len({file.name.split("-")[1] for file in marker.files}) == 2
    build_index(folder)
    assert same_rows(folder.index, inline.index)
