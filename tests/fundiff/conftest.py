"""A tiny cascade for the library's tests."""

from pathlib import Path

import pytest
import torch

from tests.tiny_if import write_tiny_if


@pytest.fixture(scope="session")
def tiny_if(tmp_path_factory) -> Path:
    """A folder with stage-1/ and stage-2/ in DeepFloyd IF's layout, random and tiny."""
    return write_tiny_if(tmp_path_factory.mktemp("tiny-if"))


@pytest.fixture(autouse=True)
def one_thread():
    """Rows are bit-identical in any company with one thread, which is how workers run on CPUs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
