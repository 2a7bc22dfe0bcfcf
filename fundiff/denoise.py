"""Four ways to take noise from a picture, side by side: what a diffusion model is about."""

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Estimate, Estimator
from fundiff.filters import low_pass
from fundiff.samplers import pred_original_sample
from fundiff.sampling import reverse
from fundiff.schedule import walk

PANELS = ("original", "noised", "Gaussian blur", "one step", "iterative")
"""What the comparison shows, from left to right."""

BLUR_SIGMA = 2.0
"""Of the classical remedy, in pixels of a 64-px picture."""


def denoise(canvas: Canvas, estimate: Estimator, original: Tensor, start: int) -> Calls[Tensor]:
    """Draw the comparison, (C, H, 5 W): original, noised, blurred, one-step and iterative.

    One-step is the x_0 that the model assumes at once; iterative is the reverse process from
    there, as in `fundiff.edit`. Both start from the same noised picture.

    Args:
        canvas: Where to draw.
        estimate: Of the whole picture.
        original: (C, H, W) in [-1, 1].
        start: Index into the canvas's timesteps whose noise is added.
    """
    t = canvas.timesteps[start]
    noised = canvas.schedule.add_noise(original, canvas.noise.draw(canvas.shape), t)
    one_step: list[Tensor] = []

    def watched(x_t: Tensor, i: int) -> Calls[Estimate]:
        said = yield from estimate(x_t, i)
        if not one_step:
            one_step.append(pred_original_sample(x_t, said.noise_pred, t, canvas.schedule))
        return said

    path = walk(len(canvas.timesteps), start)
    iterative = yield from reverse(canvas, watched, x_t=noised, path=path)
    blurred = low_pass(noised, BLUR_SIGMA)
    return torch.cat([original, noised, blurred, *one_step, iterative], dim=-1)
