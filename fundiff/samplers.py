"""The steps that a reverse process can take from one timestep to the next, less noisy one."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fundiff.canvas import Canvas, Estimate
from fundiff.schedule import Schedule

Stepper = Callable[[Tensor, Estimate, int, int], Tensor]
"""`step(x_t, estimate, t, t_prev)` returns x at t_prev; -1 stands for the picture itself."""


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


def pred_original_sample(x_t: Tensor, noise_pred: Tensor, t: int, schedule: Schedule) -> Tensor:
    """Return the x_0 that a noise estimate assumes, clipped as the schedule wants it.

    Ho et al., 2020, arXiv:2006.11239, Eq. 15.
    """
    alpha_prod_t = schedule.alpha_prod(t)
    x_0 = (x_t - math.sqrt(1 - alpha_prod_t) * noise_pred) / math.sqrt(alpha_prod_t)
    if schedule.thresholding_ratio is None:
        return x_0.clamp(-schedule.sample_max_value, schedule.sample_max_value)
    return threshold(x_0, schedule.thresholding_ratio, schedule.sample_max_value)


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

    Source: Ho et al., 2020, arXiv:2006.11239, Eq. 7; Nichol & Dhariwal, 2021, arXiv:2102.09672,
    Eq. 15, both for the strided timesteps of their section 4.
    """
    alpha_prod_t, alpha_prod_t_prev = schedule.alpha_prod(t), schedule.alpha_prod(t_prev)
    beta_prod_t, beta_prod_t_prev = 1 - alpha_prod_t, 1 - alpha_prod_t_prev
    alpha_t = alpha_prod_t / alpha_prod_t_prev
    beta_t = 1 - alpha_t
    x_0 = pred_original_sample(x_t, estimate.noise_pred, t, schedule)

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


def ddpm(canvas: Canvas) -> Stepper:
    """Return ancestral steps with learned variance: Ho et al., 2020, Algorithm 2."""

    def step(x_t: Tensor, estimate: Estimate, t: int, t_prev: int) -> Tensor:
        z = canvas.noise.draw(canvas.shape) if t_prev >= 0 else None
        return posterior_step(x_t, estimate, t, t_prev, canvas.schedule, z)[0]

    return step


def ddim(canvas: Canvas) -> Stepper:
    """Return deterministic steps, Song et al., 2021, arXiv:2010.02502, Eq. 12 with sigma 0.

    The noise is taken anew from the clipped x_0, so that the two still make up x_t.
    """

    def step(x_t: Tensor, estimate: Estimate, t: int, t_prev: int) -> Tensor:
        alpha_prod_t, alpha_prod_t_prev = (canvas.schedule.alpha_prod(s) for s in (t, t_prev))
        x_0 = pred_original_sample(x_t, estimate.noise_pred, t, canvas.schedule)
        noise = (x_t - math.sqrt(alpha_prod_t) * x_0) / math.sqrt(1 - alpha_prod_t)
        return math.sqrt(alpha_prod_t_prev) * x_0 + math.sqrt(1 - alpha_prod_t_prev) * noise

    return step


MAX_STRETCH = 2.0
"""A step of DPM-Solver++ may be so many times as long as the one before and extrapolate fully."""


def dpm_solver_pp(canvas: Canvas) -> Stepper:
    """Return deterministic multistep steps of second order: DPM-Solver++(2M).

    Lu et al., 2022, arXiv:2211.01095, Algorithm 2. The first step and the last one, whose log-SNR
    is infinite, are of first order. Over a step more than twice as long in log-SNR as the one
    before, such as the last but one of a list that ends at t = 0, x_0 is extrapolated no further
    than over that one: any further does more harm than good. The stepper remembers the x_0 of its
    last step.
    """
    before: list[tuple[Tensor, float]] = []  # x_0 and the log-SNR step of the step before

    def step(x_t: Tensor, estimate: Estimate, t: int, t_prev: int) -> Tensor:
        x_0 = pred_original_sample(x_t, estimate.noise_pred, t, canvas.schedule)
        if canvas.schedule.alpha_prod(t_prev) == 1:
            return x_0
        (alpha, sigma), (alpha_prev, sigma_prev) = (
            (math.sqrt(a), math.sqrt(1 - a))
            for a in (canvas.schedule.alpha_prod(t), canvas.schedule.alpha_prod(t_prev))
        )
        h = math.log(alpha_prev / sigma_prev) - math.log(alpha / sigma)
        direction = x_0
        if before:
            x_0_before, h_before = before.pop()
            stretch = h / h_before if h <= MAX_STRETCH * h_before else 1.0
            direction = x_0 + (x_0 - x_0_before) * (stretch / 2)
        before.append((x_0, h))
        return sigma_prev / sigma * x_t - alpha_prev * math.expm1(-h) * direction

    return step


def stepper(canvas: Canvas) -> Stepper:
    """Return the steps that a canvas asks for, with nothing remembered.

    Raises:
        ValueError: If there are none of that name.
    """
    if canvas.sampler not in SAMPLERS:
        raise ValueError(
            f"sampler {canvas.sampler!r} is unknown; choose from {', '.join(SAMPLERS)}"
        )
    return SAMPLERS[canvas.sampler](canvas)


SAMPLERS: dict[str, Callable[[Canvas], Stepper]] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpmsolver++": dpm_solver_pp,
}
