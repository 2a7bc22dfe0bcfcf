"""The arithmetic of alignment and concealment."""

import pytest
import torch

from fundiff.scores import alignment, concealment


def test_alignment_is_the_worst_view():
    """A single bad view spoils an illusion."""
    assert alignment(torch.tensor([[0.3, 0.1], [0.2, 0.25]])) == pytest.approx(0.25)


def test_concealment_runs_from_one_half_to_one():
    """Equal similarities cannot be told apart; a clear diagonal is sure."""
    assert concealment(torch.full((2, 2), 0.3), 0.01) == pytest.approx(0.5)
    assert concealment(torch.eye(2), 0.01) == pytest.approx(1.0)
    assert concealment(torch.eye(2).flip(0), 0.01) == pytest.approx(0.0)
    assert concealment(torch.full((3, 3), 0.3), 0.01) == pytest.approx(1 / 3)


def test_concealment_is_the_mean_of_both_directions():
    """By hand for one asymmetric matrix."""
    s = torch.tensor([[0.30, 0.28], [0.25, 0.26]])
    rows = [1 / (1 + torch.tensor(-0.02 / 0.01).exp()), 1 / (1 + torch.tensor(-0.01 / 0.01).exp())]
    columns = [
        1 / (1 + torch.tensor(-0.05 / 0.01).exp()),
        1 / (1 + torch.tensor(0.02 / 0.01).exp()),
    ]
    wanted = (sum(rows) / 2 + sum(columns) / 2) / 2
    assert concealment(s, 0.01) == pytest.approx(float(wanted))
