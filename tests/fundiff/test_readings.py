"""What a judge is shown: from afar, in halves, around a hole; and what its answers mean."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fundiff.readings import (
    DISTANCES,
    around,
    change_distance,
    from_afar,
    halves,
    shrunk,
    split_lead,
)
from fundiff.view_names import view


def picture(size: int = 32) -> torch.Tensor:
    return torch.rand((3, size, size), generator=torch.Generator().manual_seed(size)) * 2 - 1


def test_from_near_a_picture_is_itself_and_from_afar_details_are_gone():
    """A chequer of single pixels is grey from afar, in both ways of looking."""
    x = picture()
    assert from_afar(x, 0.0) is x
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    chequer = ((rows + columns) % 2 * 2.0 - 1).expand(3, 32, 32)
    assert from_afar(chequer, 3.0).abs().max() < 1e-3
    assert shrunk(chequer, 3.0)[:, 1:-1, 1:-1].abs().max() < 0.02


@pytest.mark.parametrize(("size", "sigma", "side"), [(64, 2, 16), (256, 2, 16), (64, 0.4, 64)])
def test_a_shrunken_picture_has_pixels_of_two_sigmas(size, sigma, side):
    """However large the picture is; one that is small enough already stays as it is."""
    assert shrunk(picture(size), sigma).shape == (3, side, side)
    constant = torch.full((3, size, size), 0.25)
    assert torch.allclose(shrunk(constant, sigma), torch.tensor(0.25), atol=1e-6)


def test_halves_are_what_they_were_and_blank_in_the_mean_colour_elsewhere():
    """Left and right, top and bottom; both halves together are the picture."""
    x = picture()
    mean = x.mean((1, 2))
    cuts = halves(x)
    assert torch.equal(cuts[0][0][:, :, :16], x[:, :, :16])
    assert torch.equal(cuts[1][1][:, 16:], x[:, 16:])
    for first, second in cuts:
        assert torch.allclose(first + second - mean[:, None, None], x, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [("identity", slice(1, 10), slice(20, 29)), ("flip", slice(21, 30), slice(20, 29)),
     ("rotate_180+negate", slice(21, 30), slice(2, 11))],
)  # fmt: skip
def test_a_hole_is_seen_with_what_surrounds_it_where_the_view_puts_it(name, rows, columns):
    """A hole of 4 x 6 pixels in a square of 9."""
    hole = torch.zeros((1, 32, 32))
    hole[0, 4:8, 22:28] = 1
    assert around(hole, view(name)) == (rows, columns)


@given(st.integers(0, 31), st.integers(0, 31), st.integers(1, 32), st.integers(1, 32))
def test_what_surrounds_a_hole_lies_within_the_picture_and_holds_it(top, left, height, width):
    """A square, wherever the hole is."""
    hole = torch.zeros((1, 32, 32))
    hole[0, top : top + height, left : left + width] = 1
    rows, columns = around(hole, view("identity"))
    assert 0 <= rows.start < rows.stop <= 32
    assert rows.stop - rows.start == columns.stop - columns.start
    assert hole[0, rows, columns].sum() == hole.sum()


def test_without_a_hole_all_is_seen():
    """A mask that keeps everything."""
    whole = (slice(0, 8), slice(0, 8))
    assert around(torch.zeros((1, 8, 8)), view("identity")) == whole


@pytest.mark.parametrize(
    ("signs", "distance"),
    [("---++++++", 1.5), ("+++++++++", 0.0), ("---------", None), ("--+-+++++", 2.0),
     ("++++++++-", None), ("--------+", 8.0)],
)  # fmt: skip
def test_a_hybrid_changes_where_the_far_prompt_leads_for_good(signs, distance):
    """A lead that is lost again farther away does not count."""
    assert len(signs) == len(DISTANCES)
    assert change_distance([0.1 if sign == "+" else -0.1 for sign in signs]) == distance


def test_two_subjects_side_by_side_lead_the_whole_and_an_illusion_does_not():
    """Left reads as the first in the first view, right as the second in the second."""
    whole = torch.tensor([0.5, 0.5])
    beside = torch.tensor([[[0.6, 0.1], [0.1, 0.7]], [[0.2, 0.2], [0.2, 0.2]]])
    assert split_lead(whole, beside) == pytest.approx(0.1)
    assert split_lead(whole, beside.flip(1)) == pytest.approx(0.1)
    # One half that reads as both is the illusion itself, smaller; the other half is nothing.
    alone = torch.tensor([[[0.6, 0.6], [0.1, 0.1]], [[0.3, 0.3], [0.3, 0.3]]])
    assert split_lead(whole, alone) == pytest.approx(-0.2)
