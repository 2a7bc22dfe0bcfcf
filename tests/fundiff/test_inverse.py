"""One component of a photograph is kept, and prompts decide on the others."""

import pytest
import torch

from fundiff.filters import GRAYSCALE, gaussian, grayscale, low_pass, motion
from fundiff.inverse import inverse, keep_component
from fundiff.noise import Noise
from fundiff.view_names import view
from tests.fundiff.exact import canvas, gaussian_unet, picture, prompts, run, stage_2

SAMPLERS = ("ddpm", "ddim", "dpmsolver++")
STEPS = (1, 2, 7, 30)


def solved(place, names, wishes, photo, keep, unet=None):
    """Draw with the named views, keeping the named component."""
    calls = inverse(place, [view(name) for name in names], wishes, photo, view(keep))
    return run(calls, *([unet] if unet else []))


@pytest.fixture(params=["stage I", "stage II"])
def place_in(request):
    """Canvases of either stage."""
    return stage_2 if request.param == "stage II" else lambda place: place


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", STEPS)
def test_a_colourisation_has_the_grey_of_the_photo_and_the_colour_of_the_wish(
    steps, sampler, place_in
):
    """Averaging channels is a projection, so the grey picture is kept to 1e-5."""
    photo, wish = picture(1), picture(2)
    place = place_in(canvas(steps, sampler=sampler))
    ours = solved(place, ["color"], prompts(wish), photo, "grayscale")
    torch.testing.assert_close(grayscale(ours), grayscale(photo), atol=1e-5, rtol=0)
    colour = ours - grayscale(ours)
    torch.testing.assert_close(colour, wish - grayscale(wish), atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_a_greying_has_the_colour_of_the_photo_and_the_grey_of_the_wish(steps, place_in):
    """The other way round."""
    photo, wish = picture(1), picture(2)
    ours = solved(place_in(canvas(steps)), ["grayscale"], prompts(wish), photo, "color")
    torch.testing.assert_close(ours - grayscale(ours), photo - grayscale(photo), atol=1e-5, rtol=0)
    torch.testing.assert_close(grayscale(ours), grayscale(wish), atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", STEPS)
def test_an_inverse_hybrid_is_the_blurred_photo_and_the_sharp_part_of_the_wish(
    steps, sampler, place_in
):
    """G photo + (1 - G) wish. G is no projection: seen from afar G (1 - G) wish shines through."""
    photo, wish = picture(1), picture(2)
    place = place_in(canvas(steps, sampler=sampler))
    ours = solved(place, ["high_pass:4"], prompts(wish), photo, "low_pass:4")
    wanted = low_pass(photo, 4) + wish - low_pass(wish, 4)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_what_is_sharp_may_be_kept_as_well_as_what_is_blurred(steps):
    """(1 - G) photo + G wish."""
    photo, wish = picture(1), picture(2)
    ours = solved(canvas(steps), ["low_pass:4"], prompts(wish), photo, "high_pass:4")
    wanted = photo - low_pass(photo, 4) + low_pass(wish, 4)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_what_moves_may_be_kept(steps):
    """M photo + (1 - M) wish."""
    photo, wish = picture(1), picture(2)
    ours = solved(canvas(steps), ["motion_res:20"], prompts(wish), photo, "motion:20")
    wanted = motion(photo, 20) + wish - motion(wish, 20)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_two_prompts_share_what_is_not_kept(steps):
    """With F the kept filter the rest of sum f_i w_i + F mean(w) is what the wishes decide."""
    photo, a, b = picture(1), picture(2), picture(3)
    names = ["band:2:4", "high_pass:2"]
    ours = solved(canvas(steps), names, prompts(a, b), photo, "low_pass:4")
    wished = low_pass(a, 2) - low_pass(a, 4) + b - low_pass(b, 2) + low_pass((a + b) / 2, 4)
    wanted = wished + low_pass(photo - wished, 4)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    """What the photo leaves open is drawn by chance; what it decides is not."""
    photo, unet = picture(1), gaussian_unet(0.1, 0.15, 0.0)
    first, again, other = (
        solved(canvas(7, seed=seed), ["color"], prompts(picture(2)), photo, "grayscale", unet)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert float((first - other).abs().mean()) > 0.01
    torch.testing.assert_close(grayscale(first), grayscale(other), atol=1e-5, rtol=0)


@pytest.mark.parametrize("t", [990, 500, 0, -1])
@pytest.mark.parametrize("component", [GRAYSCALE, gaussian(4)], ids=["grayscale", "gaussian"])
def test_the_kept_component_is_as_noisy_as_the_picture_is(component, t):
    """The component of x gives way to that of a draw of q(x_t | photo), the rest stays."""
    photo, x, place = picture(1), picture(2), canvas(5, seed=3)
    ours = keep_component(photo, component, place)(x, t)
    known = place.schedule.add_noise(photo, Noise(3, 1).draw(place.shape), t)
    torch.testing.assert_close(ours, x - component(x) + component(known), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("names", "keep", "words"),
    [
        (["high_pass:2"], "grayscale", r"grayscale\|high_pass:2 do not add up"),
        (["high_pass:2"], "low_pass:3", r"low_pass:3\|high_pass:2 do not add up"),
        (["color", "color"], "grayscale", r"grayscale\|color\|color do not add up"),
        (["flip"], "identity", "takes components of it as it stands"),
        (["flip+high_pass:2"], "flip+low_pass:2", "takes components of it as it stands"),
    ],
)
def test_views_that_are_not_the_rest_of_the_picture_are_refused(names, keep, words):
    """They add up with what is kept, and turn nothing."""
    wishes = prompts(*(picture(n) for n in range(len(names))))
    with pytest.raises(ValueError, match=words):
        solved(canvas(2), names, wishes, picture(1), keep)
