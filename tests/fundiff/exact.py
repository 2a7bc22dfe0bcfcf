"""Denoisers with a closed form: whole runs of the loop have known answers."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Estimator
from fundiff.engine import Engine, Finished
from fundiff.guidance import Prompts
from fundiff.noise import Noise
from fundiff.sampling import reverse
from fundiff.schedule import Schedule, leading, squared_cosine

SIZE = 16
SCHEDULE = Schedule(squared_cosine(), thresholding_ratio=None, sample_max_value=1.0)


def _signal_and_noise(t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return sqrt(a_t) and sqrt(1 - a_t), rounded once: near the picture 1 - a_t is small."""
    alpha_prod = torch.tensor([SCHEDULE.alpha_prod(int(i)) for i in t], dtype=torch.float64)
    signal, noise = (
        part.sqrt().to(like.dtype).view(-1, 1, 1, 1) for part in (alpha_prod, 1 - alpha_prod)
    )
    return signal, noise


def one_image_unet(samples: Tensor, t: Tensor, embeds: Tensor, _: Tensor | None) -> Tensor:
    """Answer for a data set of one image, which the prompt's embedding spells out."""
    pictures = embeds.reshape(len(samples), 3, *samples.shape[-2:])
    signal, sigma = _signal_and_noise(t, samples)
    noise = (samples[:, :3] - signal * pictures) / sigma
    return torch.cat([noise, torch.zeros_like(noise)], dim=1)


def gaussian_unet(mean: float, sd: float, variance: float) -> Callable[..., Tensor]:
    """Answer for pixels drawn independently from N(mean, sd^2); `variance` in -1 to 1."""

    def unet(samples: Tensor, t: Tensor, _embeds: Tensor, _level: Tensor | None) -> Tensor:
        signal, sigma = _signal_and_noise(t, samples)
        spread = signal**2 * sd**2 + sigma**2
        noise = sigma * (samples[:, :3] - signal * mean) / spread
        return torch.cat([noise, torch.full_like(noise, variance)], dim=1)

    return unet


def gaussian_answer(
    mean: float, sd: float, variance: float, timesteps: tuple[int, ...]
) -> tuple[float, float]:
    """Return mean and sd of what the loop draws with `gaussian_unet`, by scalar recursion."""
    m, v = 0.0, 1.0
    for t, t_prev in zip(timesteps, (*timesteps[1:], -1), strict=True):
        a, a_prev = SCHEDULE.alpha_prod(t), SCHEDULE.alpha_prod(t_prev)
        beta = 1 - a / a_prev
        # E[x_0 | x_t] = slope x_t + offset
        slope = math.sqrt(a) * sd**2 / (a * sd**2 + 1 - a)
        offset = mean * (1 - slope * math.sqrt(a))
        from_x_0 = math.sqrt(a_prev) * beta / (1 - a)
        from_x_t = math.sqrt(a / a_prev) * (1 - a_prev) / (1 - a)
        m = (from_x_0 * slope + from_x_t) * m + from_x_0 * offset
        v = (from_x_0 * slope + from_x_t) ** 2 * v
        if t_prev >= 0:
            frac = (variance + 1) / 2
            smallest = beta * (1 - a_prev) / (1 - a)
            v += math.exp(frac * math.log(beta) + (1 - frac) * math.log(smallest))
    return m, math.sqrt(v)


def picture(seed: int, size: int = SIZE) -> Tensor:
    """Return a random picture well inside [-1, 1]."""
    return torch.rand((3, size, size), generator=torch.Generator().manual_seed(seed)) - 0.5


def prompts(*pictures: Tensor, negative: Tensor | None = None, guidance: float = 1) -> Prompts:
    """Return prompts whose embeddings spell out pictures."""
    blank = torch.zeros_like(pictures[0]) if negative is None else negative
    return Prompts(tuple(p.reshape(1, -1) for p in pictures), blank.reshape(1, -1), guidance)


def canvas(steps: int, seed: int = 0, size: int = SIZE, sampler: str = "ddpm") -> Canvas:
    """Return a canvas over the exact models' schedule; a single step starts at t = 990."""
    timesteps = (990,) if steps == 1 else leading(steps)
    return Canvas((3, size, size), timesteps, SCHEDULE, Noise(seed, 1), sampler=sampler)


def stage_2(place: Canvas) -> Canvas:
    """Return the canvas as one of a second stage, on a low-res picture of no meaning."""
    return replace(place, low_res=picture(99, place.shape[-1]), noise_level=50)


def finish(
    calls: Calls[Tensor], unet: Callable[..., Tensor] = one_image_unet, lanes: int = 4
) -> Finished[int]:
    """Run one algorithm to its end in an engine of its own."""
    engine: Engine[int] = Engine(unet, lanes)
    engine.add(0, calls)
    while not engine.idle:
        for finished in engine.step():
            if finished.error:
                raise finished.error
            return finished
    raise AssertionError("the engine ran dry")


def run(
    calls: Calls[Tensor], unet: Callable[..., Tensor] = one_image_unet, lanes: int = 4
) -> Tensor:
    """Return the picture that an algorithm draws in an engine of its own."""
    picture = finish(calls, unet, lanes).picture
    assert picture is not None
    return picture


def drawn(
    place: Canvas, estimate: Estimator, unet: Callable[..., Tensor] = one_image_unet
) -> Tensor:
    """Return the picture that an estimate alone decides on."""
    return run(reverse(place, estimate), unet)
