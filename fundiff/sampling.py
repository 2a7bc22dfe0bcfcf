"""The posterior step with learned variance, and the one reverse loop that every algorithm uses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the model says about x_t.

    Attributes:
        noise_pred: The noise in x_t, (C, H, W).
        predicted_variance: Where the log-variance lies between its bounds, -1 to 1, (C, H, W).
    """

    noise_pred: Tensor
    predicted_variance: Tensor


class NoiseSource(Protocol):
    """Whatever gives the draws: `fundiff.noise.Noise`, or recorded ones."""

    def draw(self, shape: Sequence[int]) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where one candidate is drawn in one stage.

    Attributes:
        shape: (C, H, W) of the picture.
        timesteps: Falling timesteps; the step after the last one arrives at the picture.
        schedule: The stage's noise schedule.
        noise: The candidate's own stream of draws.
        low_res: The previous stage's picture, brought to this size and noised, (C, H, W), or None.
        noise_level: How much noise lies on `low_res`, 0 to 999, or None.
    """

    shape: tuple[int, int, int]
    timesteps: tuple[int, ...]
    schedule: Schedule
    noise: NoiseSource
    low_res: Tensor | None = None
    noise_level: int | None = None

    def model_input(self, x_t: Tensor) -> Tensor:
        """Return what the UNet sees of x_t: itself, in stage II stacked on the low-res picture."""
        return x_t if self.low_res is None else torch.cat([x_t, self.low_res])


Estimator = Callable[[Tensor, int], Calls[Estimate]]
"""`estimate(x_t, i)` yields the UNet calls of step i and returns the combined estimate."""

Constraint = Callable[[Tensor, int], Tensor]
"""`constrain(x, t)` replaces what is known of x, which is at noise level t (-1: the picture)."""


def threshold(x_0: Tensor, ratio: float = 0.95, max_value: float = 1.5) -> Tensor:
    """Return x_0 clipped to a percentile of its magnitude and rescaled to [-1, 1].

    Dynamic thresholding, Saharia et al., 2022, arXiv:2205.11487, section 2.3. The percentile is
    interpolated between two order statistics, which is cheaper than sorting the picture.
    """
    magnitude = x_0.abs().flatten()
    rank = ratio * (magnitude.numel() - 1)
    below = magnitude.kthvalue(math.floor(rank) + 1).values
    above = magnitude.kthvalue(math.ceil(rank) + 1).values
    s = torch.lerp(below, above, rank - math.floor(rank)).clamp(1, max_value)
    return x_0.clamp(-s, s) / s


def posterior_step(
    x_t: Tensor, estimate: Estimate, t: int, t_prev: int, schedule: Schedule, z: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return a draw of p(x_{t_prev} | x_t) and the x_0 that it assumes.

    Args:
        x_t: (C, H, W), float32.
        estimate: The model's word on x_t.
        t: Timestep of x_t.
        t_prev: The timestep to arrive at, below t; -1 stands for the picture itself.
        schedule: The stage's noise schedule.
        z: Standard normal noise like x_t, or None for the mean (the last step).

    Source: Ho et al., 2020, arXiv:2006.11239, Eq. 7 and 15; Nichol & Dhariwal, 2021,
    arXiv:2102.09672, Eq. 15, both for the strided timesteps of their section 4.
    """
    alpha_prod_t, alpha_prod_t_prev = schedule.alpha_prod(t), schedule.alpha_prod(t_prev)
    beta_prod_t, beta_prod_t_prev = 1 - alpha_prod_t, 1 - alpha_prod_t_prev
    alpha_t = alpha_prod_t / alpha_prod_t_prev
    beta_t = 1 - alpha_t

    # x_0 from the predicted noise, Ho et al. Eq. 15.
    x_0 = (x_t - math.sqrt(beta_prod_t) * estimate.noise_pred) / math.sqrt(alpha_prod_t)
    if schedule.thresholding_ratio is None:
        x_0 = x_0.clamp(-1, 1)
    else:
        x_0 = threshold(x_0, schedule.thresholding_ratio, schedule.sample_max_value)

    # Posterior mean, Ho et al. Eq. 7.
    mean = (
        math.sqrt(alpha_prod_t_prev) * beta_t * x_0 + math.sqrt(alpha_t) * beta_prod_t_prev * x_t
    ) / beta_prod_t
    if z is None:
        return mean, x_0

    # The network interpolates log-variances, -1 is the smallest: Nichol & Dhariwal Eq. 15.
    min_log = math.log(max(beta_prod_t_prev / beta_prod_t * beta_t, 1e-20))
    frac = (estimate.predicted_variance + 1) / 2
    log_variance = frac * math.log(beta_t) + (1 - frac) * min_log
    return mean + (log_variance / 2).exp() * z, x_0


def ancestral(
    canvas: Canvas, estimate: Estimator, constrain: Constraint | None = None
) -> Calls[Tensor]:
    """Draw a picture, (C, H, W): the reverse process of Ho et al., 2020, Algorithm 2.

    Args:
        canvas: Where to draw, and with which noise.
        estimate: What makes the algorithm: how x_t is shown to the model and its words combined.
        constrain: What is known of the picture is put back with it after every step.
    """
    x_t = canvas.noise.draw(canvas.shape)
    if constrain is not None:
        x_t = constrain(x_t, canvas.timesteps[0])

    for i, (t, t_prev) in enumerate(pairwise((*canvas.timesteps, -1))):
        combined = yield from estimate(x_t, i)
        z = canvas.noise.draw(canvas.shape) if t_prev >= 0 else None
        x_t, _ = posterior_step(x_t, combined, t, t_prev, canvas.schedule, z)
        if constrain is not None:
            x_t = constrain(x_t, t_prev)
    return x_t
