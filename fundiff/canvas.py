"""Where a candidate is drawn, and what the model says of a picture on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
        sampler: Name of the steps, one of `fundiff.samplers.SAMPLERS`.
        glimpses: Steps, counted from 0, after whose estimate the expected picture is shown.
    """

    shape: tuple[int, int, int]
    timesteps: tuple[int, ...]
    schedule: Schedule
    noise: NoiseSource
    low_res: Tensor | None = None
    noise_level: int | None = None
    sampler: str = "ddpm"
    glimpses: frozenset[int] = frozenset()

    def model_input(self, x_t: Tensor) -> Tensor:
        """Return what the UNet sees of x_t: itself, in stage II stacked on the low-res picture."""
        return x_t if self.low_res is None else torch.cat([x_t, self.low_res])


Estimator = Callable[[Tensor, int], Calls[Estimate]]
"""`estimate(x_t, i)` yields the UNet calls of step i and returns the combined estimate."""

Constraint = Callable[[Tensor, int], Tensor]
"""`constrain(x, t)` replaces what is known of x, which is at noise level t (-1: the picture)."""
