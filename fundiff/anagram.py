"""Visual anagrams: one picture, read with a different prompt through each view.

Geng, Park, Owens, 2024: Visual Anagrams, arXiv:2311.17919, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Estimate, Estimator
from fundiff.guidance import Prompts, guided
from fundiff.views import View, by_frame

REDUCTIONS = ("mean", "sum", "alternate", "rectified")


def anagram(
    canvas: Canvas, views: Sequence[View], prompts: Prompts, reduction: str = "mean"
) -> Estimator:
    """Return the estimate of a picture whose every view reads as its own prompt.

    Views that share a frame are components of it and are summed there (Geng et al., 2024,
    arXiv:2404.11615, Eq. 5); the frames are then reduced. So an anagram may be one of hybrids.

    Args:
        canvas: Where to draw.
        views: One per prompt; the components of each frame add up to the whole.
        prompts: One prompt per view.
        reduction: `mean` of the frames' noise estimates; their `sum`; `alternate`, where step i
            listens to frame i mod N alone and costs only that frame's lanes; or `rectified`, the
            mean brought back to the spread of noise, see `rectified`.

    Raises:
        ValueError: If the reduction is unknown, views and prompts differ in number, or components
            do not add up.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction {reduction!r} is unknown; choose from {', '.join(REDUCTIONS)}"
        )
    if len(views) != len(prompts.prompt_embeds):
        raise ValueError(f"{len(views)} views for {len(prompts.prompt_embeds)} prompts; pair them")
    frames = by_frame(views)

    def estimate(x_t: Tensor, i: int) -> Calls[Estimate]:
        groups = [frames[i % len(frames)]] if reduction == "alternate" else frames

        # Show x_t through every frame, ask once, bring the answers back.
        seen = canvas.model_input(x_t)
        shown = [picture for group in groups for picture in _show(views, group, seen)]
        chosen = [number for group in groups for number in group]
        asked = prompts.only(chosen).at(i / len(canvas.timesteps))
        said = yield from guided(shown, asked, canvas.timesteps[i], canvas.noise_level)
        estimates = dict(zip(chosen, said, strict=True))

        noise_preds = torch.stack([_noise(views, group, estimates) for group in groups])
        variances = torch.stack([views[n].invert(estimates[n].predicted_variance) for n in chosen])
        # A mean of variances stays between its bounds.
        return Estimate(_reduce(noise_preds, reduction), variances.mean(0))

    return estimate


def _show(views: Sequence[View], group: Sequence[int], seen: Tensor) -> list[Tensor]:
    """Return what each view of a frame sees: the same tensor, so that lanes can be shared."""
    return [views[group[0]].show(seen)] * len(group)


def _noise(views: Sequence[View], group: Sequence[int], estimates: dict[int, Estimate]) -> Tensor:
    """Return the noise estimate of one frame, the sum of its components, in the picture."""
    parts = [views[number].invert_noise(estimates[number].noise_pred) for number in group]
    return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]


def _reduce(noise_preds: Tensor, reduction: str) -> Tensor:
    if reduction == "rectified":
        return rectified(noise_preds)
    return noise_preds.sum(0) if reduction == "sum" else noise_preds.mean(0)


def rectified(noise_preds: Tensor) -> Tensor:
    """Return the mean of noise estimates, brought back to the spread that noise has.

    A mean of estimates that disagree is smaller than noise. With weights a_i = 1 / N it is
    multiplied by 1 / sqrt(sum a_i^2 + 2 sum_{i<j} rho_ij a_i a_j), where rho_ij is the
    correlation of eps_i and eps_j: Xu et al., 2024, arXiv:2412.02693. Each rho is kept in 0..1,
    so that the factor lies between 1 (all agree) and sqrt(N) (independent).

    Args:
        noise_preds: (N, C, H, W).
    """
    count = len(noise_preds)
    flat = normalize(noise_preds.flatten(1))
    rho = (flat @ flat.T).clamp(0, 1).fill_diagonal_(1)
    return noise_preds.mean(0) * (count / rho.sum().sqrt())
