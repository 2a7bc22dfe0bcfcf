"""Classifier-free guidance over any number of shown pictures, equal lanes computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from fundiff.calls import Calls, Lane, UNetCall
from fundiff.canvas import Estimate


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a picture is guided to, and how hard.

    Attributes:
        prompt_embeds: One (tokens, width) tensor per view.
        negative_prompt_embeds: What guidance points away from, (tokens, width).
        guidance_scale: 1 means off; then no unconditional lane is asked for.
        guidance_start: Share of the timesteps after which guidance sets in, 0 to 1.
        guidance_stop: Share of the timesteps after which guidance ends, 0 to 1.
    """

    prompt_embeds: tuple[Tensor, ...]
    negative_prompt_embeds: Tensor
    guidance_scale: float
    guidance_start: float = 0.0
    guidance_stop: float = 1.0

    def only(self, chosen: Sequence[int]) -> "Prompts":
        """Return these prompts reduced to the chosen views."""
        return replace(self, prompt_embeds=tuple(self.prompt_embeds[n] for n in chosen))

    def at(self, passed: float) -> "Prompts":
        """Return these prompts as they guide once a share of the timesteps has passed.

        Outside its interval guidance is off: Kynkaanniemi et al., 2024, arXiv:2404.07724.
        """
        if self.guidance_start <= passed < self.guidance_stop:
            return self
        return replace(self, guidance_scale=1.0)


def guided(
    samples: Sequence[Tensor], prompts: Prompts, t: int, noise_level: int | None
) -> Calls[list[Estimate]]:
    """Return one guided estimate per sample, from a single UNet call.

    Noise: eps_u + guidance_scale * (eps_c - eps_u), Ho & Salimans, 2022, arXiv:2207.12598, Eq. 6
    (with guidance_scale = 1 + w). Variance: that of the conditional lane.

    Two samples that are the same tensor share their lanes: a view that changes nothing of x_t
    returns x_t itself, so a hybrid's two unconditional lanes are one.

    Args:
        samples: What the UNet sees through each view, (C_in, H, W) each.
        prompts: One prompt per sample, and the negative one.
        t: Timestep.
        noise_level: Noise on the low-res conditioning; None in stage I.
    """
    lanes: list[Lane] = []

    def ask(sample: Tensor, embeds: Tensor) -> int:
        for i, lane in enumerate(lanes):
            if lane.sample is sample and lane.prompt_embeds is embeds:
                return i
        lanes.append(Lane(sample, embeds))
        return len(lanes) - 1

    pairs = list(zip(samples, prompts.prompt_embeds, strict=True))
    if prompts.guidance_scale == 1:
        rows = [(i, i) for i in (ask(sample, embeds) for sample, embeds in pairs)]
    else:
        unconditional = [ask(sample, prompts.negative_prompt_embeds) for sample in samples]
        conditional = [ask(sample, embeds) for sample, embeds in pairs]
        rows = list(zip(unconditional, conditional, strict=True))

    outputs = yield UNetCall(tuple(lanes), t, noise_level)

    estimates = []
    for u, c in rows:
        noise_pred, predicted_variance = outputs[c].chunk(2)
        if u != c:
            noise_u, _ = outputs[u].chunk(2)
            noise_pred = noise_u + prompts.guidance_scale * (noise_pred - noise_u)
        estimates.append(Estimate(noise_pred, predicted_variance))
    return estimates
