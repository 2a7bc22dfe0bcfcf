"""The arithmetic of alignment and concealment."""

import pytest
import torch

from fundiff.scores import alignment, concealment, kept_error, seam_ratio


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


def hole(size: int = 32) -> torch.Tensor:
    keep = torch.ones((1, size, size))
    keep[:, 10:22, 10:22] = 0
    return keep


def ramp(size: int = 32) -> torch.Tensor:
    """A picture with the same gradient everywhere."""
    at = torch.arange(float(size)) / size
    return (at[:, None] + at[None]).expand(3, size, size) - 1


def test_a_picture_that_goes_on_through_the_hole_has_no_seam():
    """A ramp is as steep at the border as beside it."""
    assert seam_ratio(ramp(), hole()) == pytest.approx(1)


def test_a_step_at_the_holes_border_is_a_seam():
    """The larger the step the larger the ratio."""
    small, large = (ramp() + step * (1 - hole()) for step in (0.1, 0.4))
    assert 1.2 < seam_ratio(small, hole()) < seam_ratio(large, hole())


def test_edges_beside_the_border_are_no_seam():
    """A frame of steps in the ring around the hole makes the border look smooth."""
    framed = ramp()
    framed[:, 8:24, 8:24] += 0.4
    assert seam_ratio(framed, hole()) < 0.8


def test_a_mask_of_one_colour_has_no_border():
    """Nothing was drawn, or everything."""
    for keep in (torch.ones((1, 32, 32)), torch.zeros((1, 32, 32))):
        assert seam_ratio(ramp(), keep) == 1


def test_the_kept_error_is_counted_in_eight_bit_levels_where_the_mask_keeps():
    """Root mean square; what was drawn does not count, nor does a soft pixel."""
    original, drawn, keep = torch.zeros((3, 4, 4)), torch.zeros((3, 4, 4)), torch.ones((1, 4, 4))
    drawn[:, 0] = 2 / 255
    assert kept_error(drawn, original) == pytest.approx(1 / 2)
    assert kept_error(drawn, original, keep) == pytest.approx(1 / 2)
    keep[:, 0] = 0.9
    assert kept_error(drawn, original, keep) == 0
