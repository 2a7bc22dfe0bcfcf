"""Fixtures for every test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, ClusterError

REPOSITORY = Path(__file__).resolve().parents[1]


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
