"""Whole runs with exact denoisers arrive where the mathematics says."""

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.hybrid import hybrid
from fundiff.inpaint import inpaint
from fundiff.views import view
from tests.fundiff.exact import (
    canvas,
    gaussian_answer,
    gaussian_unet,
    picture,
    prompts,
    run,
)

STEPS = (1, 2, 7, 50)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("reduction", ["mean", "alternate"])
@pytest.mark.parametrize(
    "name", ["identity", "flip", "mirror", "rotate_90", "rotate_180", "negate"]
)
def test_an_anagram_of_one_picture_seen_two_ways_is_that_picture(name, reduction, steps):
    """If prompt i wants view_i(x), every step's mean estimate points at x."""
    x, other = picture(1), view(name)
    drawn = run(
        anagram(canvas(steps), [view("identity"), other], prompts(x, other.show(x)), reduction)
    )
    torch.testing.assert_close(drawn, x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_mean_anagram_of_two_wishes_is_the_mean_of_the_wishes(steps):
    """The estimate is linear in the wished picture, so the mean of estimates wants the mean."""
    a, b, turn = picture(1), picture(2), view("rotate_90")
    drawn = run(anagram(canvas(steps), [view("identity"), turn], prompts(a, b)))
    torch.testing.assert_close(drawn, (a + turn.invert(b)) / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_three_view_anagram_is_the_mean_of_three_wishes(steps):
    """Any number of views may be combined."""
    views = [view("identity"), view("flip"), view("rotate_270")]
    wishes = [picture(1), picture(2), picture(3)]
    drawn = run(anagram(canvas(steps), views, prompts(*wishes)))
    mean = torch.stack([v.invert(w) for v, w in zip(views, wishes, strict=True)]).mean(0)
    torch.testing.assert_close(drawn, mean, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_hybrid_has_the_low_band_of_one_wish_and_the_high_band_of_the_other(steps):
    """The components of the estimates decide the components of the picture."""
    a, b, low, high = picture(1), picture(2), view("low_pass:4"), view("high_pass:4")
    drawn = run(hybrid(canvas(steps), [low, high], prompts(a, b)))
    wanted = low.component(a) + high.component(b)
    torch.testing.assert_close(drawn, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_an_inpainting_keeps_the_original_to_the_bit_and_draws_the_wish_in_the_hole(steps):
    """Kept pixels are the original itself, not a rounding of it."""
    original, wish = picture(1), picture(2)
    keep = torch.ones((1, 16, 16))
    keep[:, 4:12, 5:11] = 0
    drawn = run(inpaint(canvas(steps), prompts(wish), original, keep))
    assert torch.equal(drawn[:, keep[0] == 1], original[:, keep[0] == 1])
    torch.testing.assert_close(drawn[:, keep[0] == 0], wish[:, keep[0] == 0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_guidance_extrapolates_from_the_negative_wish_to_the_wish(steps):
    """With scale g the answer is u + g (c - u), both data sets having one image."""
    c, u = picture(1) / 4, picture(2) / 4
    drawn = run(anagram(canvas(steps), [view("identity")], prompts(c, negative=u, guidance=2.5)))
    torch.testing.assert_close(drawn, u + 2.5 * (c - u), atol=2e-4, rtol=0)


# Two steps at the largest variance would leave [-1, 1] and be clipped: no closed form.
@pytest.mark.parametrize(
    ("steps", "variance"),
    [(1, 0.0), (2, -1.0), (2, 0.0), (7, -1.0), (7, 1.0), (50, -1.0), (50, 0.0), (50, 1.0)],
)
@pytest.mark.parametrize(
    "draw",
    [
        lambda c, p: anagram(c, [view("identity")], p),
        lambda c, p: anagram(c, [view("flip"), view("rotate_90")], _twice(p)),
        lambda c, p: hybrid(c, [view("low_pass:2"), view("high_pass:2")], _twice(p)),
    ],
    ids=["plain", "anagram", "hybrid"],
)
def test_gaussian_data_comes_out_with_the_mean_and_spread_of_the_recursion(draw, steps, variance):
    """For Gaussian pixels the loop is linear: its mean and variance follow by recursion."""
    mean, sd = 0.1, 0.15
    drawn = run(
        draw(canvas(steps, size=64), prompts(picture(1, 64))), gaussian_unet(mean, sd, variance)
    )
    expected_mean, expected_sd = gaussian_answer(mean, sd, variance, canvas(steps).timesteps)
    error = max(expected_sd, 1e-3) / drawn.numel() ** 0.5
    assert abs(float(drawn.mean()) - expected_mean) < 5 * error
    assert float(drawn.std()) == pytest.approx(expected_sd, rel=0.04, abs=1e-4)


def test_many_steps_with_the_right_spread_draw_the_data_set_itself():
    """The recursion that the other test relies on tends to the data's own moments."""
    timesteps = canvas(1000).timesteps
    mean, sd = gaussian_answer(0.1, 0.15, -1.0, timesteps)
    assert mean == pytest.approx(0.1, abs=1e-3)
    assert sd == pytest.approx(0.15, rel=0.02)


def test_the_known_region_is_noised_to_the_timestep_that_the_step_arrives_at():
    """At every UNet call the kept pixels have the spread of q(x_t | original) at that t."""
    original, wish = torch.zeros((3, 64, 64)), torch.zeros((3, 64, 64))
    keep = torch.ones((1, 64, 64))
    keep[:, :8] = 0
    place = canvas(10, size=64)
    calls = inpaint(place, prompts(wish), original, keep)
    call = next(calls)
    while True:
        seen = call.lanes[0].sample[:, 8:]
        spread = (1 - place.schedule.alpha_prod(call.t)) ** 0.5
        assert float(seen.std()) == pytest.approx(spread, rel=0.03)
        output = torch.zeros((6, 64, 64))
        try:
            call = calls.send([output])
        except StopIteration:
            break


def _twice(p):
    return type(p)(p.prompt_embeds * 2, p.negative_prompt_embeds, p.guidance_scale)
