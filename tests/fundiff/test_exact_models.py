"""Whole runs with exact denoisers arrive where the mathematics says."""

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.filters import grayscale, low_pass
from fundiff.hybrid import hybrid
from fundiff.inpaint import inpaint
from fundiff.view_names import view
from tests.fundiff.exact import (
    SIZE,
    canvas,
    drawn,
    gaussian_answer,
    gaussian_unet,
    picture,
    prompts,
    run,
    stage_2,
)

STEPS = (1, 2, 7, 50)


def anagram_of(place, views, wishes, reduction="mean"):
    """Draw an anagram on the one-image model."""
    return drawn(place, anagram(place, views, wishes, reduction))


def hybrid_of(place, views, wishes):
    """Draw a hybrid on the one-image model."""
    return drawn(place, hybrid(place, views, wishes))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("reduction", ["mean", "alternate"])
@pytest.mark.parametrize(
    "name",
    [
        "identity",
        "flip",
        "mirror",
        "rotate_90",
        "rotate_180",
        "negate",
        "patch_permute:4:seed=7",
        "flip+negate",
        "rotate_90+patch_permute:8:seed=1+mirror",
    ],
)
def test_an_anagram_of_one_picture_seen_two_ways_is_that_picture(name, reduction, steps):
    """If prompt i wants view_i(x), every step's mean estimate points at x."""
    x, other = picture(1), view(name)
    if name == "identity":
        views, wishes = [other], prompts(x)  # a frame stands once
    else:
        views, wishes = [view("identity"), other], prompts(x, other.show(x))
    ours = anagram_of(canvas(steps), views, wishes, reduction)
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", ["jigsaw:seed=7", "inner_circle", "square_hinge", "skew:1.5"])
def test_an_anagram_whose_second_view_is_cut_up_is_that_picture(name, steps):
    """The pieces' estimates are put back where they came from."""
    x, other = picture(1, 32), view(name)
    wishes = prompts(x, other.show(x))
    ours = anagram_of(canvas(steps, size=32), [view("identity"), other], wishes)
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["flip", "negate", "rotate_90+negate"])
def test_in_the_second_stage_a_view_turns_the_low_res_picture_too(name):
    """The UNet sees view(x_t) stacked on view(low_res), in every frame."""
    place, other, x_t = stage_2(canvas(2)), view(name), picture(6)
    estimate = anagram(place, [view("identity"), other], prompts(picture(1), picture(2)))
    call = next(estimate(x_t, 0))
    upright, turned = (lane.sample for lane in call.lanes)
    assert torch.equal(upright, torch.cat([x_t, place.low_res]))
    assert torch.equal(turned, torch.cat([other.show(x_t), other.show(place.low_res)]))
    assert call.noise_level == place.noise_level


@pytest.mark.parametrize("steps", STEPS)
def test_a_mean_anagram_of_two_wishes_is_the_mean_of_the_wishes(steps):
    """The estimate is linear in the wished picture, so the mean of estimates wants the mean."""
    a, b, turn = picture(1), picture(2), view("rotate_90")
    ours = anagram_of(canvas(steps), [view("identity"), turn], prompts(a, b))
    torch.testing.assert_close(ours, (a + turn.invert(b)) / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    "names",
    [
        ["identity", "flip", "rotate_270"],
        ["identity", "rotate_90", "rotate_180", "rotate_270"],
        ["flip", "mirror", "negate+rotate_90", "patch_permute:4:seed=3"],
    ],
    ids="|".join,
)
def test_an_anagram_of_many_views_is_the_mean_of_their_wishes(names, steps):
    """Any number of views may be combined."""
    views, wishes = [view(name) for name in names], [picture(n) for n in range(len(names))]
    ours = anagram_of(canvas(steps), views, prompts(*wishes))
    mean = torch.stack([v.invert_noise(w) for v, w in zip(views, wishes, strict=True)]).mean(0)
    torch.testing.assert_close(ours, mean, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("reduction", "weight"), [("sum", 1.0), ("mean", 0.5)])
def test_a_reduction_weighs_the_noise_but_the_variance_is_always_a_mean(reduction, weight):
    """Random answers, brought back by the views and added up by hand."""
    estimate = anagram(
        canvas(2),
        [view("identity"), view("flip+negate")],
        prompts(picture(1), picture(2)),
        reduction,
    )
    calls = estimate(picture(3), 0)
    next(calls)
    e, f = torch.randn((2, 6, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    with pytest.raises(StopIteration) as end:
        calls.send([e, f])
    said = end.value.value
    torch.testing.assert_close(said.noise_pred, weight * (e[:3] - f[:3].flip(-2)))
    torch.testing.assert_close(said.predicted_variance, (e[3:] + f[3:].flip(-2)) / 2)


@pytest.mark.parametrize("steps", STEPS)
def test_a_hybrid_has_the_low_band_of_one_wish_and_the_high_band_of_the_other(steps):
    """The components of the estimates decide the components of the picture."""
    a, b, low, high = picture(1), picture(2), view("low_pass:4"), view("high_pass:4")
    ours = hybrid_of(canvas(steps), [low, high], prompts(a, b))
    wanted = low.component(a) + high.component(b)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_triple_hybrid_has_a_band_of_each_wish(steps):
    """G_2 a + (G_1 - G_2) b + (1 - G_1) c, G_s being the blur of sigma s."""
    a, b, c = picture(1), picture(2), picture(3)
    views = [view("triple_low"), view("triple_medium"), view("triple_high")]
    ours = hybrid_of(canvas(steps), views, prompts(a, b, c))
    wanted = low_pass(a, 2) + low_pass(b, 1) - low_pass(b, 2) + c - low_pass(c, 1)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_colour_hybrid_has_the_grey_of_one_wish_and_the_colour_of_the_other(steps):
    """The grey picture is the channels' mean, the colour what is left."""
    a, b = picture(1), picture(2)
    ours = hybrid_of(canvas(steps), [view("grayscale"), view("color")], prompts(a, b))
    torch.testing.assert_close(ours, grayscale(a) + b - grayscale(b), atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_motion_hybrid_has_the_moving_part_of_one_wish_and_the_rest_of_the_other(steps):
    """The blur along the diagonal decides what is seen in motion."""
    a, b = picture(1), picture(2)
    moving, resting = view("motion:20"), view("motion_res:20")
    ours = hybrid_of(canvas(steps), [moving, resting], prompts(a, b))
    wanted = b + moving.component(a - b)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_negative_scale_points_away_from_its_wish(steps):
    """1.5 a - 0.5 b: negation by weights that add up to one."""
    a, b = picture(1) / 2, picture(2) / 2
    ours = hybrid_of(canvas(steps), [view("scale:1.5"), view("scale:-0.5")], prompts(a, b))
    torch.testing.assert_close(ours, 1.5 * a - 0.5 * b, atol=1e-4, rtol=0)


HYBRIDS = ["low_pass:4", "high_pass:4", "flip+low_pass:4", "flip+high_pass:4"]


@pytest.mark.parametrize("steps", STEPS)
def test_an_anagram_of_two_hybrids_is_the_mean_of_the_two_hybrid_wishes(steps):
    """Components are summed within a frame, frames are averaged; turning comes after."""
    a, b, c, d = (picture(n) for n in range(1, 5))
    ours = anagram_of(canvas(steps), [view(name) for name in HYBRIDS], prompts(a, b, c, d))
    upright = low_pass(a, 4) + b - low_pass(b, 4)
    turned = (low_pass(c, 4) + d - low_pass(d, 4)).flip(-2)
    torch.testing.assert_close(ours, (upright + turned) / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("reduction", ["mean", "alternate", "sum", "rectified"])
def test_an_anagram_of_hybrids_pays_for_each_frames_unconditional_lane_once(reduction):
    """(1 + 2) lanes a frame; `alternate` asks one frame a step."""
    place = canvas(4)
    wishes = prompts(*(picture(n) for n in range(4)), guidance=3)
    estimate = anagram(place, [view(name) for name in HYBRIDS], wishes, reduction)
    call = next(estimate(picture(5), 1))
    assert len(call.lanes) == (3 if reduction == "alternate" else 6)


def test_alternating_views_are_asked_in_turn():
    """Step i shows x_t through view i mod N, with that view's prompt, and answers for it alone."""
    names = ["flip", "rotate_90", "negate"]
    views, wishes, x_t = (
        [view(name) for name in names],
        prompts(*map(picture, (1, 2, 3))),
        picture(4),
    )
    estimate = anagram(canvas(7), views, wishes, "alternate")
    for i in range(7):
        calls, turn = estimate(x_t, i), views[i % 3]
        (lane,) = next(calls).lanes
        assert torch.equal(lane.sample, turn.show(x_t))
        assert lane.prompt_embeds is wishes.prompt_embeds[i % 3]
        output = torch.randn((6, SIZE, SIZE), generator=torch.Generator().manual_seed(i))
        with pytest.raises(StopIteration) as end:
            calls.send([output])
        assert torch.equal(end.value.value.noise_pred, turn.invert_noise(output[:3]))


@pytest.mark.parametrize("steps", STEPS)
def test_alternating_frames_of_hybrids_that_agree_draw_the_hybrid(steps):
    """Each step listens to one whole frame, components and all."""
    a, b = picture(1), picture(2)
    wishes = prompts(a, b, a.flip(-2), b.flip(-2))
    views = [view(name) for name in HYBRIDS]
    ours = anagram_of(canvas(steps), views, wishes, "alternate")
    torch.testing.assert_close(ours, low_pass(a - b, 4) + b, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_an_inpainting_keeps_the_original_to_the_bit_and_draws_the_wish_in_the_hole(steps):
    """Kept pixels are the original itself, not a rounding of it."""
    original, wish = picture(1), picture(2)
    keep = torch.ones((1, 16, 16))
    keep[:, 4:12, 5:11] = 0
    place = canvas(steps)
    estimate = anagram(place, [view("identity")], prompts(wish))
    ours = run(inpaint(place, estimate, original, keep))
    assert torch.equal(ours[:, keep[0] == 1], original[:, keep[0] == 1])
    torch.testing.assert_close(ours[:, keep[0] == 0], wish[:, keep[0] == 0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_hole_may_be_filled_with_an_anagram(steps):
    """Its pixels are the mean of the wishes, the kept ones the original, to the bit."""
    original, a, b = picture(1), picture(2), picture(3)
    keep = torch.ones((1, 16, 16))
    keep[:, 3:10, 5:11] = 0
    place = canvas(steps)
    estimate = anagram(place, [view("identity"), view("flip")], prompts(a, b))
    ours = run(inpaint(place, estimate, original, keep))
    wanted = (a + b.flip(-2)) / 2
    assert torch.equal(ours[:, keep[0] == 1], original[:, keep[0] == 1])
    torch.testing.assert_close(ours[:, keep[0] == 0], wanted[:, keep[0] == 0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_guidance_extrapolates_from_the_negative_wish_to_the_wish(steps):
    """With scale g the answer is u + g (c - u), both data sets having one image."""
    c, u = picture(1) / 4, picture(2) / 4
    wishes = prompts(c, negative=u, guidance=2.5)
    ours = anagram_of(canvas(steps), [view("identity")], wishes)
    torch.testing.assert_close(ours, u + 2.5 * (c - u), atol=2e-4, rtol=0)


# Two steps at the largest variance would leave [-1, 1] and be clipped: no closed form.
@pytest.mark.parametrize(
    ("steps", "variance"),
    [(1, 0.0), (2, -1.0), (2, 0.0), (7, -1.0), (7, 1.0), (50, -1.0), (50, 0.0), (50, 1.0)],
)
@pytest.mark.parametrize(
    "estimate",
    [
        lambda c, p: anagram(c, [view("identity")], p),
        lambda c, p: anagram(c, [view("flip"), view("rotate_90")], _twice(p)),
        lambda c, p: hybrid(c, [view("low_pass:2"), view("high_pass:2")], _twice(p)),
    ],
    ids=["plain", "anagram", "hybrid"],
)
def test_gaussian_data_comes_out_with_the_mean_and_spread_of_the_recursion(
    estimate, steps, variance
):
    """For Gaussian pixels the loop is linear: its mean and variance follow by recursion."""
    mean, sd = 0.1, 0.15
    place = canvas(steps, size=64)
    ours = drawn(
        place, estimate(place, prompts(picture(1, 64))), gaussian_unet(mean, sd, variance)
    )
    expected_mean, expected_sd = gaussian_answer(mean, sd, variance, place.timesteps)
    error = max(expected_sd, 1e-3) / ours.numel() ** 0.5
    assert abs(float(ours.mean()) - expected_mean) < 5 * error
    assert float(ours.std()) == pytest.approx(expected_sd, rel=0.04, abs=1e-4)


def test_many_steps_with_the_right_spread_draw_the_data_set_itself():
    """The recursion that the other test relies on tends to the data's own moments."""
    timesteps = canvas(1000).timesteps
    mean, sd = gaussian_answer(0.1, 0.15, -1.0, timesteps)
    assert mean == pytest.approx(0.1, abs=1e-3)
    assert sd == pytest.approx(0.15, rel=0.02)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["low_pass:2"], "views low_pass:2 do not add up to one whole picture"),
        (["identity"], "views identity are not the components of one picture"),
        (["identity", "flip"], r"identity\|flip are not the components of one picture"),
        (HYBRIDS, "are not the components of one picture; a hybrid takes those that add up"),
    ],
    ids=str,
)
def test_a_hybrid_of_anything_but_components_is_refused(names, words):
    """One frame, two components or more."""
    wishes = prompts(*(picture(n) for n in range(len(names))))
    with pytest.raises(ValueError, match=words):
        hybrid(canvas(2), [view(name) for name in names], wishes)


def test_an_unknown_reduction_is_refused_with_the_known_ones():
    """Before anything is drawn."""
    with pytest.raises(ValueError, match="choose from mean, sum, alternate, rectified"):
        anagram(canvas(2), [view("identity")], prompts(picture(1)), "median")


def test_views_and_prompts_come_in_pairs():
    """Before anything is drawn, with the two numbers."""
    with pytest.raises(ValueError, match="2 views for 1 prompts; pair them"):
        anagram(canvas(2), [view("identity"), view("flip")], prompts(picture(1)))


def _twice(p):
    return type(p)(p.prompt_embeds * 2, p.negative_prompt_embeds, p.guidance_scale)
