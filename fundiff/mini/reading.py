"""The two readers of pictures: the judge, which ranks, and the reader, which only reports.

They share no font and no architecture, so that the reader's figures are not the judge's own.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from fundiff.mini import networks, pictures
from fundiff.mini.concepts import SUBJECTS
from fundiff.mini.loop import autocast
from fundiff.mini.samples import Sampler

READING_WEIGHTS = {"ink": 0.5, "shadow": 0.22, "line": 0.28}
MAX_BLUR = {"ink": 1.2, "shadow": 1.6, "line": 0.5}
"""The blur, in pixels of 32, under which a style must still be read."""


def spoil(batch: Tensor, subjects: Tensor, generator: Generator) -> Tensor:
    """Return 32-pixel pictures as a sampler may leave them: blurred, uneven, noisy, faded."""
    count = len(batch)
    limit = torch.tensor([MAX_BLUR[SUBJECTS[i].style] for i in subjects.tolist()])
    blurred = pictures.blur(batch, 1.6)
    share = uniform_up_to(limit / 1.6, generator)
    batch = torch.lerp(batch, blurred, share)
    contrast = pictures.uniform(generator, 0.6, 1.1, count, 1, 1, 1)
    level = pictures.uniform(generator, -0.2, 0.2, count, 1, 1, 1)
    uneven = pictures.smooth_field(count, 3, generator)
    uneven = uneven * pictures.uniform(generator, 0, 0.15, count, 1, 1, 1)
    grain = torch.randn(batch.shape, generator=generator)
    grain = grain * pictures.uniform(generator, 0, 0.12, count, 1, 1, 1)
    return (batch * contrast + level + uneven + grain).clamp(-1, 1)


def uniform_up_to(limit: Tensor, generator: Generator) -> Tensor:
    """Return a uniform number from 0 to each limit, half of them 0, shaped [B, 1, 1, 1]."""
    count = len(limit)
    on = torch.rand(count, generator=generator) < 0.5
    return (on * limit * torch.rand(count, generator=generator)).view(-1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Judging:
    """Bring a picture and its prompt together, and apart from every other prompt.

    Radford et al., 2021, arXiv:2103.00020, with one text per subject instead of one per picture.
    """

    sampler: Sampler
    input_ids: tuple[Tensor, ...]
    batch: int = 64

    @staticmethod
    def of(sampler: Sampler) -> "Judging":
        """Return the task over every prompt, tokenized."""
        tokenizer = networks.judge_processor().tokenizer
        return Judging(
            sampler,
            tuple(
                tokenizer(
                    list(subject.prompts),
                    padding="max_length",
                    max_length=networks.JUDGE_TEXT_LENGTH,
                    return_tensors="pt",
                ).input_ids
                for subject in SUBJECTS
            ),
        )

    def loss(self, model: nn.Module, generator: Generator) -> Tensor:
        """Return the contrastive loss of one batch, in both directions."""
        batch, subjects = self.sampler.draw(self.batch, generator)
        batch = spoil(batch, subjects, generator)
        texts = []
        for rows in self.input_ids:
            other = int(torch.randint(len(rows), (), generator=generator))
            main = torch.rand((), generator=generator) < 0.5
            texts.append(rows[0 if main else other])
        # What CLIPModel computes, but without its one text per picture.
        with autocast():
            image_embeds = model.get_image_features(pixel_values=batch).pooler_output  # type: ignore[operator]
            text_embeds = model.get_text_features(input_ids=torch.stack(texts)).pooler_output  # type: ignore[operator]
        image_embeds = functional.normalize(image_embeds.float(), dim=-1)
        text_embeds = functional.normalize(text_embeds.float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=50) * image_embeds @ text_embeds.T  # type: ignore[operator]
        by_text = logits.log_softmax(0)[torch.arange(len(batch)), subjects]
        return functional.cross_entropy(logits, subjects) - 0.25 * by_text.mean()


@dataclass(frozen=True, slots=True)
class Reading:
    """Name the subject of a picture."""

    sampler: Sampler
    batch: int = 64

    def loss(self, model: nn.Module, generator: Generator) -> Tensor:
        """Return the cross-entropy of one batch."""
        batch, subjects = self.sampler.draw(self.batch, generator)
        batch = enlarged(spoil(batch, subjects, generator))
        with autocast():
            logits = model(batch.contiguous(memory_format=torch.channels_last)).logits
        return functional.cross_entropy(logits.float(), subjects, label_smoothing=0.05)


def enlarged(batch: Tensor) -> Tensor:
    """Return 32-pixel pictures at the reader's size."""
    size = (networks.READER_SIZE, networks.READER_SIZE)
    return functional.interpolate(batch, size, mode="bicubic", align_corners=False).clamp(-1, 1)
