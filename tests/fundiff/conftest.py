"""A tiny cascade for the library's tests."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Rows are bit-identical in any company with one thread, which is how workers run on CPUs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
