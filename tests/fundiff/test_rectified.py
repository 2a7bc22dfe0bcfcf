"""The mean of noise estimates, brought back to the spread of noise."""

import math

import pytest
import torch

from fundiff.anagram import anagram, rectified
from fundiff.view_names import view
from tests.fundiff.exact import canvas, drawn, picture, prompts


def noises(count: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.randn((count, 3, size, size), generator=torch.Generator().manual_seed(seed))


def mixed(count: int, share: float) -> torch.Tensor:
    """Estimates of unit spread, to rounding, that have a share of their noise in common."""
    common, own = noises(1, seed=1), noises(count, seed=2)
    estimates = math.sqrt(share) * common + math.sqrt(1 - share) * own
    return estimates / estimates.square().mean((1, 2, 3), keepdim=True).sqrt()


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_estimates_that_agree_are_left_as_they_are(count, seed):
    """Also where their own spread happens to lie a little below that of noise."""
    noise = noises(1, 8, seed)
    torch.testing.assert_close(rectified(noise.expand(count, -1, -1, -1)), noise[0])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_estimates_that_have_nothing_in_common_come_out_with_unit_spread(count):
    """Their mean has a spread of 1 / sqrt(N); within 1 % on 196608 values."""
    independent = noises(count, 256)
    assert float(independent.mean(0).std()) == pytest.approx(1 / math.sqrt(count), rel=0.01)
    assert float(rectified(independent).std()) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_the_rectified_mean_is_that_of_the_paper(count, share):
    """1 / sqrt(sum a_i^2 + 2 sum_{i<j} rho_ij a_i a_j), pair by pair."""
    estimates = mixed(count, share)
    a, total = 1 / count, 0.0
    for i in range(count):
        total += a**2
        for j in range(i + 1, count):
            rho = float((estimates[i] * estimates[j]).mean())
            total += 2 * max(rho, 0) * a**2
    wanted = estimates.mean(0) / math.sqrt(total)
    torch.testing.assert_close(rectified(estimates), wanted)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_factor_lies_between_one_and_the_root_of_the_number(count, sign):
    """Opposed estimates count as independent: nothing is blown up."""
    first, *others = noises(count, seed=3)
    estimates = torch.stack([first, *(0.2 * other + sign * first for other in others)])
    mean = estimates.mean(0)
    factor = float((rectified(estimates) / mean).median())
    assert 1 <= factor <= math.sqrt(count) + 1e-5
    torch.testing.assert_close(rectified(estimates), factor * mean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_an_anagram_whose_wishes_agree_is_their_picture(steps, seed):
    """Rectification changes nothing where there is nothing to rectify."""
    place, x, turn = canvas(steps, seed), picture(1), view("rotate_90")
    views = [view("identity"), turn]
    ours = drawn(place, anagram(place, views, prompts(x, turn.show(x)), "rectified"))
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=0)


def test_what_is_rectified_are_frames_and_not_their_components():
    """The components of a lone frame are summed; their mean with itself is untouched."""
    place = canvas(7)
    views, wishes = [view("low_pass:4"), view("high_pass:4")], prompts(picture(1), picture(2))
    plain = drawn(canvas(7), anagram(place, views, wishes))
    ours = drawn(canvas(7), anagram(place, views, wishes, "rectified"))
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("agreement", [0.0, 0.5])
def test_each_pair_counts_with_its_own_agreement(agreement):
    """Two alike and one apart: 9 / (3 + 2 (1 + 2 rho)) under the root, in large pictures."""
    one, own = noises(2, 256, seed=4)
    apart = agreement * one + math.sqrt(1 - agreement**2) * own
    estimates = torch.stack([one, one, apart])
    factor = float((rectified(estimates) / estimates.mean(0)).median())
    assert factor == pytest.approx(3 / math.sqrt(3 + 2 * (1 + 2 * agreement)), rel=0.01)
