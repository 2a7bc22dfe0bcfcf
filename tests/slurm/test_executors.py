"""What would be handed to sbatch."""

import os
from pathlib import Path

import pytest

from slurm import executors
from slurm.commands import SlurmError
from slurm.profiles import Profile

RECORDED = Path(__file__).with_name("recorded")
FULL = Profile(
    name="full",
    partition="gpu",
    account="art",
    qos="night",
    gpus_per_task=1,
    cpus_per_task=8,
    mem_gb=62.5,
    timeout_min=480,
    constraint="a100&80gb",
    exclude="n[1-2]",
    setup=("module load cuda/12", "export NCCL_DEBUG=WARN"),
    array_parallelism=3,
)
FOLDER = Path("/data/runs of ann/night1/slurm")


@pytest.mark.parametrize(
    ("golden", "profile", "options"),
    [
        ("array.sbatch", FULL, {"count": 5, "dependency": "afterok:123"}),
        ("plain.sbatch", Profile("plain"), {}),
    ],
)
def test_the_sbatch_text_is_as_recorded(golden, profile, options):
    """Every byte; with FUNDIFF_RECORD=1 the file is written anew."""
    text = executors.sbatch_text(
        profile, FOLDER, name="fundiff", python="/opt/my env/bin/python", **options
    )
    file = RECORDED / golden
    if os.environ.get("FUNDIFF_RECORD") == "1":
        file.write_text(text)
    assert text == file.read_text()


def test_without_slurm_there_is_no_executor(monkeypatch, tmp_path):
    """One line says what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="there is no SLURM here"):
        executors.slurm_executor(FULL, tmp_path, name="fundiff")


def test_inside_a_job_its_variables_are_hidden_and_come_back(monkeypatch):
    """A job submitted from a job inherits nothing but where the cluster is."""
    for name in ("SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "SBATCH_GRES", "SLURM_CONF"):
        monkeypatch.setenv(name, "7")
    before = dict(os.environ)
    with executors.outside_jobs():
        left = {name for name in os.environ if name.startswith(("SLURM", "SBATCH"))}
    assert left == {"SLURM_CONF"}
    assert dict(os.environ) == before


def test_on_a_login_node_the_users_defaults_stay(monkeypatch):
    """SBATCH_ACCOUNT in one's shell is meant for sbatch."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("SBATCH_ACCOUNT", "art")
    with executors.outside_jobs():
        assert os.environ["SBATCH_ACCOUNT"] == "art"
