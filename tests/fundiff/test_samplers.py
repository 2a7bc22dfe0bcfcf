"""Three ways to step from noise to picture, measured against closed forms."""

import math
from itertools import pairwise

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.canvas import Canvas, Estimate
from fundiff.hybrid import hybrid
from fundiff.noise import Noise
from fundiff.samplers import SAMPLERS
from fundiff.sampling import reverse
from fundiff.schedule import NAMED_TIMESTEPS, leading, named, strided, walk
from fundiff.view_names import view
from tests.fundiff.exact import (
    SCHEDULE,
    canvas,
    drawn,
    gaussian_unet,
    picture,
    prompts,
    run,
    stage_2,
)

DETERMINISTIC = ("ddim", "dpmsolver++")
MEAN, SD = 0.1, 0.15


def spread(t: int) -> float:
    """The sd of x_t for the Gaussian data."""
    alpha_prod = SCHEDULE.alpha_prod(t)
    return math.sqrt(alpha_prod * SD**2 + 1 - alpha_prod)


def ode(x, t, t_end):
    """Where the probability-flow ODE carries x from t to t_end: the same quantile."""
    a, a_end = SCHEDULE.alpha_prod(t), SCHEDULE.alpha_prod(t_end)
    return math.sqrt(a_end) * MEAN + (x - math.sqrt(a) * MEAN) * spread(t_end) / spread(t)


def walked(sampler: str, timesteps) -> float:
    """Return the relative error of steps along timesteps, the last one the end, on the ODE."""
    x_t = torch.linspace(-1.5, 1.5, 48, dtype=torch.float64).reshape(3, 4, 4)
    wanted = ode(x_t, timesteps[0], timesteps[-1])
    place = Canvas((3, 4, 4), tuple(timesteps[:-1]), SCHEDULE, Noise(0, 1), sampler=sampler)
    step, unet = SAMPLERS[sampler](place), gaussian_unet(MEAN, SD, 0.0)
    for t, t_prev in pairwise(timesteps):
        output = unet(x_t[None], torch.tensor([t]), None, None)[0]
        x_t = step(x_t, Estimate(*output.chunk(2)), t, t_prev)
    return float((x_t - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_draws_the_one_image_of_a_one_image_data_set(sampler, steps):
    """However few the steps: the first estimate of x_0 is the last one."""
    place, x = canvas(steps, sampler=sampler), picture(1)
    ours = drawn(place, anagram(place, [view("identity")], prompts(x)))
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_draws_illusions_in_both_stages(sampler):
    """A step knows nothing of what made its estimate."""
    a, b = picture(1), picture(2)
    low, high = view("low_pass:4"), view("high_pass:4")
    for place in (canvas(7, sampler=sampler), stage_2(canvas(7, sampler=sampler))):
        ours = drawn(place, hybrid(place, [low, high], prompts(a, b)))
        torch.testing.assert_close(ours, low.component(a) + high.component(b), atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_a_deterministic_sampler_draws_no_noise_after_the_first(sampler):
    """Another stream beyond x_T changes no bit."""
    x_T, finished = torch.randn((3, 16, 16)), []
    for seed in (1, 2):
        place = canvas(7, seed=seed, sampler=sampler)
        estimate = anagram(place, [view("identity")], prompts(picture(1)))
        unet = gaussian_unet(MEAN, SD, 0.0)
        finished.append(run(reverse(place, estimate, x_t=x_T), unet))
    assert torch.equal(*finished)


def test_ddpm_draws_noise_at_every_step_but_the_last():
    """From the same x_T another stream draws another picture; a single step needs none."""
    x_T = torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(0))
    for steps, same in ((1, True), (2, False)):
        ours = []
        for seed in (1, 2):
            place = canvas(steps, seed=seed)
            estimate = anagram(place, [view("identity")], prompts(picture(1)))
            ours.append(run(reverse(place, estimate, x_t=x_T), gaussian_unet(MEAN, SD, 0.0)))
        assert torch.equal(*ours) == same


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_gaussian_data_is_drawn_where_the_probability_flow_ends(sampler):
    """x_0 - m = (x_T - sqrt(a_T) m) sd / sqrt(a_T sd^2 + 1 - a_T), to 3 % with 199 steps."""
    timesteps = strided(5)
    place = Canvas((3, 8, 8), timesteps, SCHEDULE, Noise(0, 1), sampler=sampler)
    x_T = torch.randn((3, 8, 8), generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    estimate = anagram(place, [view("identity")], prompts(picture(1, 8)))
    ours = run(reverse(place, estimate, x_t=x_T), gaussian_unet(MEAN, SD, 0.0))
    wanted = ode(x_T, timesteps[0], -1)
    assert float((ours - wanted).abs().max()) < 0.03 * float((wanted - MEAN).abs().max())


def test_after_a_jump_back_the_second_order_begins_anew():
    """What was before the jump lies elsewhere: the first step after it is one of first order."""
    place, seen = canvas(6, sampler="dpmsolver++"), []

    def estimate(x_t, i):
        yield from ()
        generator = torch.Generator().manual_seed(len(seen))
        said = Estimate(torch.randn(place.shape, generator=generator), torch.zeros(place.shape))
        seen.append((i, x_t, said))
        return said

    run(reverse(place, estimate, path=walk(6, 0, 2, 2)))
    levels, fresh = (*place.timesteps, -1), []
    for n, ((i, x_t, said), (following, x_next, _)) in enumerate(pairwise(seen)):
        if following == i + 1:  # no jump in between
            first_order = SAMPLERS["dpmsolver++"](place)(x_t, said, levels[i], levels[i + 1])
            if torch.equal(first_order, x_next):
                fresh.append(n)
    starts = [n for n in range(len(seen)) if n == 0 or seen[n][0] <= seen[n - 1][0]]
    assert len(starts) == 3
    assert set(starts) <= set(fresh)
    assert len(fresh) < len(seen) - len(starts)


@pytest.mark.parametrize(("sampler", "fall"), [("ddim", 2), ("dpmsolver++", 4)])
def test_twice_the_steps_take_a_half_or_a_quarter_of_the_error(sampler, fall):
    """Order one and order two, from t = 900 to t = 100 in 20, 40, 80 and 160 steps."""
    errors = [walked(sampler, range(900, 99, -stride)) for stride in (40, 20, 10, 5)]
    ratios = [a / b for a, b in pairwise(errors)]
    assert ratios == pytest.approx([fall] * 3, rel=0.15)


def test_twenty_second_order_steps_are_nearer_than_twenty_first_order_ones():
    """From t = 900 to t = 100: by far."""
    timesteps = range(900, 99, -40)
    assert walked("dpmsolver++", timesteps) < walked("ddim", timesteps) / 5


@pytest.mark.parametrize(
    "timesteps",
    [*map(leading, (5, 10, 20, 30, 50, 100)), strided(30), *map(named, NAMED_TIMESTEPS)],
    ids=lambda timesteps: f"{len(timesteps)} from {timesteps[0]}",
)
def test_a_whole_run_of_the_second_order_is_nearer_than_one_of_the_first(timesteps):
    """Also where the last stretch of log-SNR, down to t = 0, is far longer than the one before."""
    path = (*timesteps, -1)
    assert walked("dpmsolver++", path) < walked("ddim", path)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_draws_gaussian_data_with_its_mean_and_spread(sampler):
    """DDPM and the deterministic ones alike: in 500 steps, to a twentieth of the spread."""
    place = canvas(500, size=64, sampler=sampler)
    drawn = run(
        reverse(place, anagram(place, [view("identity")], prompts(picture(1, 64)))),
        gaussian_unet(0.1, 0.15, -1.0),
    )
    assert float(drawn.mean()) == pytest.approx(0.1, abs=0.0075)
    assert float(drawn.std()) == pytest.approx(0.15, rel=0.05)
