"""Pictures that are noised half-way and drawn again, and the comparison that shows it."""

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.denoise import PANELS, denoise
from fundiff.edit import edit
from fundiff.filters import low_pass
from fundiff.noise import Noise
from fundiff.schedule import start_of
from fundiff.view_names import view
from tests.fundiff.exact import (
    canvas,
    finish,
    gaussian_unet,
    picture,
    prompts,
    run,
    stage_2,
)

SAMPLERS = ("ddpm", "ddim", "dpmsolver++")
PLAIN = [view("identity")]


def edited(place, wish, original, start, unet=None):
    """Edit with a single prompt."""
    calls = edit(place, anagram(place, PLAIN, prompts(wish)), original, start)
    return run(calls, *([unet] if unet else []))


def panels(place, wish, original, start):
    """The comparison, cut into its five pictures."""
    calls = denoise(place, anagram(place, PLAIN, prompts(wish)), original, start)
    strip = run(calls)
    assert strip.shape == (3, place.shape[1], 5 * place.shape[2])
    return dict(zip(PANELS, strip.split(place.shape[2], dim=-1), strict=True))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("steps", "start"), [(1, 0), (2, 1), (30, 0), (30, 12), (30, 29)])
def test_an_edit_draws_the_wish_wherever_it_starts(steps, start, sampler):
    """The one-image model sees nothing but its image, however little noise there is."""
    wish, original = picture(1), picture(2)
    for place in (canvas(steps, sampler=sampler), stage_2(canvas(steps, sampler=sampler))):
        ours = edited(place, wish, original, start)
        torch.testing.assert_close(ours, wish, atol=1e-4, rtol=0)


@pytest.mark.parametrize("start", [0, 7, 29])
def test_an_edit_costs_the_steps_from_its_start_on(start):
    """One lane a step without guidance."""
    place = canvas(30)
    calls = edit(place, anagram(place, PLAIN, prompts(picture(1))), picture(2), start)
    assert finish(calls).lanes == 30 - start


@pytest.mark.parametrize("start", [0, 7, 29])
def test_an_edit_starts_from_the_original_noised_to_its_first_timestep(start):
    """The first call shows q(x_t | original) of the canvas's first draw, at that t."""
    place, original = canvas(30, seed=5), picture(2)
    call = next(edit(place, anagram(place, PLAIN, prompts(picture(1))), original, start))
    assert call.t == place.timesteps[start]
    noise = Noise(5, 1).draw(place.shape)
    assert torch.equal(
        call.lanes[0].sample, place.schedule.add_noise(original, noise, place.timesteps[start])
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_weaker_an_edit_the_more_of_the_original_is_left(sampler):
    """On Gaussian data the distance from the original falls with the strength."""
    original = 0.3 * picture(2)
    far = [
        float(
            (
                edited(
                    canvas(50, sampler=sampler),
                    picture(1),
                    original,
                    start_of(strength, 50),
                    gaussian_unet(0.0, 0.15, 0.0),
                )
                - original
            ).std()
        )
        for strength in (0.9, 0.5, 0.2, 0.05)
    ]
    assert far == sorted(far, reverse=True)
    assert far[-1] < far[0] / 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_edit_may_be_an_anagram(sampler):
    """Any estimate will do."""
    a, b = picture(1), picture(2)
    place = canvas(20, sampler=sampler)
    estimate = anagram(place, [view("identity"), view("flip")], prompts(a, b))
    ours = run(edit(place, estimate, picture(3), 8))
    torch.testing.assert_close(ours, (a + b.flip(-2)) / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("steps", "start"), [(1, 0), (30, 3), (30, 20), (30, 29)])
def test_the_comparison_shows_original_noise_blur_one_step_and_all_steps(steps, start, sampler):
    """Five panels; on one-image data both ways with a model arrive at the image."""
    wish, original = picture(1), picture(2)
    place = canvas(steps, seed=5, sampler=sampler)
    noise = Noise(5, 1).draw(place.shape)
    noised = place.schedule.add_noise(original, noise, place.timesteps[start])
    shown = panels(place, wish, original, start)
    assert torch.equal(shown["original"], original)
    assert torch.equal(shown["noised"], noised)
    assert torch.equal(shown["Gaussian blur"], low_pass(noised, 2))
    torch.testing.assert_close(shown["one step"], wish, atol=1e-4, rtol=0)
    torch.testing.assert_close(shown["iterative"], wish, atol=1e-4, rtol=0)


def test_the_iterative_panel_is_the_edit_and_costs_no_call_more():
    """One step is read off the first of the edit's own calls, to the same bits."""
    unet = gaussian_unet(0.1, 0.15, 0.0)
    both = []
    for draw in (edit, denoise):
        place = canvas(30, seed=5)
        estimate = anagram(place, PLAIN, prompts(picture(1)))
        both.append(finish(draw(place, estimate, picture(2), 10), unet))
    edit_alone, comparison = both
    assert comparison.lanes == edit_alone.lanes == 20
    assert torch.equal(comparison.picture[..., -16:], edit_alone.picture)


@pytest.mark.parametrize("start", [5, 20])
def test_one_step_is_the_mean_of_all_that_the_noised_picture_could_be(start):
    """On Gaussian data E[x_0 | x_t] in closed form; it is flatter than the data."""
    mean, sd, place = 0.1, 0.15, canvas(30, seed=5)
    t = place.timesteps[start]
    original = mean + sd * torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(1))
    calls = denoise(place, anagram(place, PLAIN, prompts(original)), original, start)
    strip = run(calls, gaussian_unet(mean, sd, 0.0))
    _, noised, _, one_step, _ = strip.split(16, dim=-1)
    a = place.schedule.alpha_prod(t)
    wanted = mean + a**0.5 * sd**2 / (a * sd**2 + 1 - a) * (noised - a**0.5 * mean)
    torch.testing.assert_close(one_step, wanted, atol=1e-4, rtol=0)
    assert float(one_step.std()) < sd
