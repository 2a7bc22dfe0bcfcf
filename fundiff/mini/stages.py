"""The tasks of the two diffusion stages."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from fundiff.mini import objective
from fundiff.mini.samples import Sampler
from fundiff.mini.text import Prompts


@dataclass(frozen=True, slots=True)
class StageOne:
    """Draw a subject's picture, 32 pixels wide, from its prompt."""

    sampler: Sampler
    prompts: Prompts
    batch: int = 32

    def loss(self, model: nn.Module, generator: Generator) -> Tensor:
        """Return the loss of one batch."""
        x_0, subjects = self.sampler.draw(self.batch, generator)
        prompt_embeds = self.prompts.draw(subjects, generator)
        noise = torch.randn(x_0.shape, generator=generator)
        timesteps = objective.draw_timesteps(len(x_0), generator)
        x_t = objective.add_noise(x_0, noise, timesteps)
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        output = model(x_t, timesteps, prompt_embeds).sample
        return objective.loss(output, x_0, noise, timesteps)
