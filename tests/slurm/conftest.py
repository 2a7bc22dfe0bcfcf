"""Fixtures of the tests that need a real SLURM."""

from collections.abc import Iterator

import pytest

from tests.slurm.cluster import Cluster


@pytest.fixture
def cluster(slurm_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with an empty queue and two idle nodes, before the test and after it."""
    yield slurm_cluster
    for row in slurm_cluster.squeue("--states=pending,running"):
        slurm_cluster.scancel("--full", row["id"])
    slurm_cluster.wait_for(slurm_cluster.all_idle, 60, "two idle nodes and no job")
