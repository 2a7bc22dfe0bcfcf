"""Hybrid images: one picture, read with another prompt from afar than from near.

Geng, Park, Owens, 2024: Factorized Diffusion, arXiv:2404.11615, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.guidance import Prompts, guided
from fundiff.sampling import Canvas, Estimate, ancestral
from fundiff.views import View


def hybrid(canvas: Canvas, components: Sequence[View], prompts: Prompts) -> Calls[Tensor]:
    """Draw a picture whose every component is decided by its own prompt.

    All prompts see the same x_t, so they share one unconditional lane.

    Args:
        canvas: Where to draw.
        components: Views that add up to the whole, such as `low_pass:2` and `high_pass:2`.
        prompts: One prompt per component.

    Raises:
        ValueError: If components and prompts differ in number, or a view is no component.
    """
    if len(components) != len(prompts.prompt_embeds):
        raise ValueError(
            f"{len(components)} components for {len(prompts.prompt_embeds)} prompts; pair them"
        )
    if whole := [view.name for view in components if view.component is None]:
        raise ValueError(
            f"view {whole[0]!r} is no component of a picture; a hybrid takes low_pass or high_pass"
        )

    def estimate(x_t: Tensor, i: int) -> Calls[Estimate]:
        shown = [canvas.model_input(x_t)] * len(components)
        estimates = yield from guided(shown, prompts, canvas.timesteps[i], canvas.noise_level)

        # eps = sum_i f_i(eps_i), Eq. 5.
        pairs = zip(components, estimates, strict=True)
        noise_preds = torch.stack([view.invert_noise(e.noise_pred) for view, e in pairs])
        variances = torch.stack([e.predicted_variance for e in estimates])
        return Estimate(noise_preds.sum(0), variances.mean(0))  # a mean stays between its bounds

    return (yield from ancestral(canvas, estimate))
