"""Visual anagrams: one picture, read with a different prompt through each view.

Geng, Park, Owens, 2024: Visual Anagrams, arXiv:2311.17919, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.guidance import Prompts, guided
from fundiff.sampling import Canvas, Estimate, ancestral
from fundiff.views import View

REDUCTIONS = ("mean", "sum", "alternate")


def anagram(
    canvas: Canvas, views: Sequence[View], prompts: Prompts, reduction: str = "mean"
) -> Calls[Tensor]:
    """Draw a picture whose every view reads as its own prompt.

    Args:
        canvas: Where to draw.
        views: One per prompt.
        prompts: One prompt per view.
        reduction: `mean` of the views' noise estimates; their `sum`; or `alternate`, where step i
            listens to view i mod N alone and costs only that view's lanes.

    Raises:
        ValueError: If the reduction is unknown or views and prompts differ in number.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction {reduction!r} is unknown; choose from {', '.join(REDUCTIONS)}"
        )
    if len(views) != len(prompts.prompt_embeds):
        raise ValueError(f"{len(views)} views for {len(prompts.prompt_embeds)} prompts; pair them")

    def estimate(x_t: Tensor, i: int) -> Calls[Estimate]:
        chosen = [i % len(views)] if reduction == "alternate" else list(range(len(views)))
        active = [views[n] for n in chosen]

        # Show x_t through every view, ask once, bring the answers back.
        seen = canvas.model_input(x_t)
        shown = [view.show(seen) for view in active]
        asked = prompts.only(chosen)
        estimates = yield from guided(shown, asked, canvas.timesteps[i], canvas.noise_level)
        pairs = list(zip(active, estimates, strict=True))
        noise_preds = torch.stack([view.invert_noise(e.noise_pred) for view, e in pairs])
        variances = torch.stack([view.invert(e.predicted_variance) for view, e in pairs])

        noise_pred = noise_preds.sum(0) if reduction == "sum" else noise_preds.mean(0)
        return Estimate(noise_pred, variances.mean(0))  # a mean stays between its bounds

    return (yield from ancestral(canvas, estimate))
