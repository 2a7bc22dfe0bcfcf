"""Fixtures for every test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.launching import Launch, launch
from tests.slurm.cluster import Cluster, ClusterError
from tests.tiny_if import write_tiny_if

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tiny_if(tmp_path_factory) -> Path:
    """A folder with stage-1/, stage-2/ and judge/ in IF's layout, random and tiny."""
    return write_tiny_if(tmp_path_factory.mktemp("tiny-if"))


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, tiny_if) -> Path:
    """A finished run of tests/jobs/pairs.csv on the tiny cascade."""
    run = tmp_path_factory.mktemp("small") / "run"
    source = Path(__file__).parent / "jobs" / "pairs.csv"
    launch(Launch(source, run, "inline", model=str(tiny_if)), lambda _: None)
    return run


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """A real SLURM, which SLURM_CONF selects while the session lasts.

    Where it cannot start the test skips; with FUNDIFF_REQUIRE_SLURM=1 it fails.
    """
    cluster = Cluster()
    try:
        cluster.start()
    except (ClusterError, OSError, TimeoutError, subprocess.SubprocessError) as error:
        reason = f"no SLURM: {error}"
        if os.environ.get("FUNDIFF_REQUIRE_SLURM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # sbatch hands its environment to the job, which thereby finds this python and this code.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.conf))
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        patch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
        yield cluster
    cluster.stop()
