"""Holes: what is kept, how noisy it is on the way, jumps back, and soft edges."""

import math

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.inpaint import inpaint, keep_known, soft_edges
from fundiff.noise import Noise
from fundiff.view_names import view
from tests.fundiff.exact import canvas, finish, picture, prompts, run, stage_2

PLAIN = [view("identity")]


def hole(size: int, border: int) -> torch.Tensor:
    """Keep a border and draw what is within it."""
    keep = torch.ones((1, size, size))
    keep[:, border:-border, border:-border] = 0
    return keep


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmsolver++"])
@pytest.mark.parametrize(("steps", "length", "times"), [(1, 5, 2), (7, 2, 3), (30, 5, 2)])
def test_with_jumps_the_hole_is_the_wish_and_the_rest_the_original_to_the_bit(
    steps, length, times, sampler
):
    """Whatever the sampler, in both stages."""
    original, wish, keep = picture(1), picture(2), hole(16, 4)[0] == 1
    for place in (canvas(steps, sampler=sampler), stage_2(canvas(steps, sampler=sampler))):
        estimate = anagram(place, PLAIN, prompts(wish))
        ours = run(inpaint(place, estimate, original, hole(16, 4), length, times))
        assert torch.equal(ours[:, keep], original[:, keep])
        torch.testing.assert_close(ours[:, ~keep], wish[:, ~keep], atol=1e-4, rtol=0)


def test_jumps_cost_the_calls_of_their_walk():
    """30 steps in stretches of 5, each walked twice: 55 calls."""
    place = canvas(30)
    estimate = anagram(place, PLAIN, prompts(picture(1)))
    assert finish(inpaint(place, estimate, picture(2), hole(16, 4), 5, 2)).lanes == 55


@pytest.mark.parametrize(("length", "times"), [(0, 1), (3, 2), (2, 3)])
def test_the_known_region_has_the_noise_of_the_timestep_at_every_call(length, times):
    """Mean sqrt(a_t) original and spread sqrt(1 - a_t), after steps and after jumps back."""
    original = torch.full((3, 64, 64), 0.4)
    keep = torch.ones((1, 64, 64))
    keep[:, :8] = 0
    place = canvas(10, size=64)
    estimate = anagram(place, PLAIN, prompts(torch.zeros_like(original)))
    calls = inpaint(place, estimate, original, keep, length, times)
    call, asked = next(calls), 0
    while True:
        asked += 1
        seen = call.lanes[0].sample[:, 8:]
        alpha_prod = place.schedule.alpha_prod(call.t)
        spread = math.sqrt(1 - alpha_prod)
        assert float(seen.std()) == pytest.approx(spread, rel=0.03)
        wanted = math.sqrt(alpha_prod) * 0.4
        assert float(seen.mean()) == pytest.approx(wanted, abs=5 * spread / seen.numel() ** 0.5)
        try:
            call = calls.send([torch.zeros((6, 64, 64))])
        except StopIteration:
            break
    assert asked == {0: 10, 3: 10 + 3 * 3, 2: 10 + 4 * 2 * 2}[length]


def test_the_known_region_is_drawn_anew_at_every_step():
    """Noise that stayed would be learned from: two neighbouring calls share none."""
    original = torch.zeros((3, 64, 64))
    place = canvas(10, size=64)
    estimate = anagram(place, PLAIN, prompts(original))
    calls = inpaint(place, estimate, original, torch.ones((1, 64, 64)))
    before = next(calls).lanes[0].sample
    after = calls.send([torch.zeros((6, 64, 64))]).lanes[0].sample
    correlation = torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1]
    assert abs(float(correlation)) < 0.05


@pytest.mark.parametrize("steps", [4, 10, 30])
def test_a_soft_pixel_is_known_while_less_than_its_share_of_the_timesteps_has_passed(steps):
    """At the i-th of n timesteps a pixel of mask m is the noised original iff i / n < m."""
    original, x = picture(1), picture(2)
    keep = torch.linspace(0, 1, 256).reshape(1, 16, 16)
    place, noise = canvas(steps), Noise(0, 1)
    constrain = keep_known(original, keep, place)
    for i, t in enumerate(place.timesteps):
        ours = constrain(x, t)
        known = place.schedule.add_noise(original, noise.draw(place.shape), t)
        is_known = (keep > i / steps).expand(3, -1, -1)
        assert torch.equal(ours[is_known], known[is_known]), i
        assert torch.equal(ours[~is_known], x[~is_known]), i
        assert bool(is_known.any())


def test_in_the_picture_itself_only_whole_pixels_are_the_originals():
    """After the last step there is no noise, and a pixel of 0.999 is free."""
    original, x = picture(1), picture(2)
    keep = torch.tensor([1.0, 0.999, 0.5, 0.0]).expand(1, 16, 4).repeat_interleave(4, 2)
    ours = keep_known(original, keep, canvas(3))(x, -1)
    assert torch.equal(ours[:, :, :4], original[:, :, :4])
    assert torch.equal(ours[:, :, 4:], x[:, :, 4:])


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmsolver++"])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_soft_inpainting_keeps_whole_pixels_to_the_bit_and_draws_the_others(steps, sampler):
    """On one-image data what is let go in time becomes the wish."""
    original, wish = picture(1, 64), picture(2, 64)
    keep = soft_edges(hole(64, 16), 3)
    place = canvas(steps, size=64, sampler=sampler)
    ours = run(inpaint(place, anagram(place, PLAIN, prompts(wish)), original, keep))
    whole = keep[0] == 1
    assert torch.equal(ours[:, whole], original[:, whole])
    torch.testing.assert_close(ours[:, ~whole], wish[:, ~whole], atol=1e-4, rtol=0)


@pytest.mark.parametrize("sigma", [0.5, 2, 4])
@pytest.mark.parametrize("size", [64, 256])
def test_soft_edges_keep_what_was_kept_and_fall_within_the_hole(size, sigma):
    """1 exactly where it was 1; from the edge inwards never rising; 0 far from it."""
    hard = hole(size, size // 4)
    soft = soft_edges(hard, sigma)
    assert torch.equal(soft == 1, hard == 1)
    assert float(soft.min()) >= 0
    inwards = soft[0, size // 2, size // 4 : size // 2]
    assert bool((inwards.diff() <= 1e-6).all())
    assert 0 < float(inwards[0]) < 1
    assert float(inwards[-1]) < 1e-3
    middle = soft[0, size // 2, size // 4 + round(2 * sigma * size / 64)]
    assert float(middle) < 0.1


@pytest.mark.parametrize("sigma", [2, 4])
@pytest.mark.parametrize("size", [64, 256])
def test_at_a_straight_edge_the_mask_falls_as_a_gaussian_does(size, sigma):
    """Twice the share of a Gaussian that lies beyond the edge: erfc(d / sqrt(2) sigma)."""
    hard = torch.ones((1, size, size))
    hard[:, size // 2 :] = 0
    ours = soft_edges(hard, sigma)[0, size // 2 :, size // 2]
    distance = (torch.arange(size // 2) + 0.5) * 64 / size
    wanted = torch.special.erfc(distance / (math.sqrt(2) * sigma))
    torch.testing.assert_close(ours, wanted, atol=0.01, rtol=0)


def test_soft_edges_of_no_width_are_the_hard_mask():
    """Sigma 0."""
    assert torch.equal(soft_edges(hole(16, 4), 0), hole(16, 4))


@pytest.mark.parametrize("border", [28, 30])
def test_soft_edges_leave_even_a_small_hole_something_to_draw(border):
    """In its middle a hole of a few pixels is free well before the end."""
    soft = soft_edges(hole(64, border), 4)
    assert float(soft.min()) < 0.9
