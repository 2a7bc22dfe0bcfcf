"""The tasks of the two diffusion stages."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from fundiff.mini import objective
from fundiff.mini.loop import autocast
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
        with autocast():
            output = model(x_t, timesteps, prompt_embeds).sample
        return objective.loss(output, x_0, noise, timesteps)


@dataclass(frozen=True, slots=True)
class StageTwo:
    """Draw the details of a picture of 128 pixels, given it at 32 pixels under some noise.

    Learnt on crops of 64 pixels: the network is convolutional down to 8x8.
    """

    sampler: Sampler
    prompts: Prompts
    batch: int = 16
    crop: int = 64

    def loss(self, model: nn.Module, generator: Generator) -> Tensor:
        """Return the loss of one batch."""
        whole, subjects = self.sampler.draw(self.batch, generator, 128)
        low_res = functional.interpolate(
            functional.avg_pool2d(whole, 4), (128, 128), mode="bilinear", align_corners=True
        )
        noise_level = torch.randint(0, 400, (self.batch,), generator=generator)
        noised = objective.add_noise(
            low_res, torch.randn(low_res.shape, generator=generator), noise_level
        )
        top, left = torch.randint(0, 128 - self.crop + 1, (2,), generator=generator).tolist()
        x_0, noised = (
            x[..., top : top + self.crop, left : left + self.crop] for x in (whole, noised)
        )
        noise = torch.randn(x_0.shape, generator=generator)
        timesteps = objective.draw_timesteps(self.batch, generator)
        x_t = objective.add_noise(x_0, noise, timesteps)
        sample = torch.cat([x_t, noised], 1).contiguous(memory_format=torch.channels_last)
        prompt_embeds = self.prompts.draw(subjects, generator)
        with autocast():
            output = model(sample, timesteps, prompt_embeds, class_labels=noise_level).sample
        return objective.loss(output, x_0, noise, timesteps)
