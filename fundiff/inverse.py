"""From a photograph: one component of it is kept, and prompts decide on the others.

Inverse hybrids keep what is seen from afar (or near), colourisation keeps the grey picture. Geng,
Park, Owens, 2024: Factorized Diffusion, arXiv:2404.11615, section 3.4.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Constraint, Estimate, Estimator
from fundiff.filters import Filter
from fundiff.frames import IDENTITY
from fundiff.guidance import Prompts, guided
from fundiff.sampling import reverse
from fundiff.views import View, by_frame


def keep_component(original: Tensor, component: Filter, canvas: Canvas) -> Constraint:
    """Return the constraint that replaces one component of x by the original's, as noisy as x is.

    Args:
        original: (C, H, W) in [-1, 1].
        component: What is kept of it.
        canvas: Gives the schedule and the draws.
    """

    def constrain(x: Tensor, t: int) -> Tensor:
        known = original
        if t >= 0:
            noise = canvas.noise.draw(canvas.shape)
            known = canvas.schedule.add_noise(original, noise, t)
        return x + component(known - x)

    return constrain


def component_estimate(
    canvas: Canvas, views: Sequence[View], prompts: Prompts, keep: View
) -> Estimator:
    """Return the estimate whose components are decided by prompts, but for the kept one.

    The kept component is the original's after every step; there the estimate is the prompts'
    mean, so that with a single prompt it is that prompt's own, undivided.

    Args:
        canvas: Where to draw.
        views: Components, one per prompt; with `keep` they add up to the whole.
        prompts: One prompt per view.
        keep: The component that the original decides on.

    Raises:
        ValueError: If a view turns the picture, or the components do not add up.
    """
    turned = [view.name for view in (keep, *views) if view.frame.name != IDENTITY.name]
    if turned:
        raise ValueError(
            f"view {turned[0]!r} turns the picture; an inverse problem takes components of it as "
            "it stands"
        )
    by_frame([keep, *views])

    def estimate(x_t: Tensor, i: int) -> Calls[Estimate]:
        shown = [canvas.model_input(x_t)] * len(views)
        asked = prompts.at(i / len(canvas.timesteps))
        said = yield from guided(shown, asked, canvas.timesteps[i], canvas.noise_level)
        noise_preds = torch.stack([each.noise_pred for each in said])
        parts = [view.invert_noise(e) for view, e in zip(views, noise_preds, strict=True)]
        parts.append(keep.invert_noise(noise_preds.mean(0)))
        variances = torch.stack([each.predicted_variance for each in said])
        return Estimate(torch.stack(parts).sum(0), variances.mean(0))

    return estimate


def inverse(
    canvas: Canvas, views: Sequence[View], prompts: Prompts, original: Tensor, keep: View
) -> Calls[Tensor]:
    """Draw a picture that shares one component with the original.

    Args:
        canvas: Where to draw.
        views: Components that the prompts decide on, one each.
        prompts: One prompt per view.
        original: (C, H, W) in [-1, 1].
        keep: The component that is the original's.
    """
    return reverse(
        canvas,
        component_estimate(canvas, views, prompts, keep),
        constrain=keep_component(original, keep.component, canvas),
    )
