"""Batches of training pictures: which subjects, drawn from which masks."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from fundiff.mini import pictures
from fundiff.mini.concepts import CONCEPTS, SUBJECTS
from fundiff.mini.masks import Masks

STYLE_WEIGHTS = {"ink": 0.52, "shadow": 0.22, "line": 0.26}


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws batches; glyphs of a concept are equally likely, whatever their number."""

    masks: Masks
    weights: Tensor
    rows: tuple[Tensor, ...]

    @staticmethod
    def over(masks: Masks, style_weights: dict[str, float] | None = None) -> "Sampler":
        """Return a sampler over all subjects, the styles weighted."""
        share = style_weights or STYLE_WEIGHTS
        counts = {style: sum(s.style == style for s in SUBJECTS) for style in share}
        weights = torch.tensor([share[s.style] / counts[s.style] for s in SUBJECTS])
        rows = tuple((masks.concept == i).nonzero().flatten() for i in range(len(CONCEPTS)))
        return Sampler(masks, weights, rows)

    def draw(
        self, count: int, generator: Generator, size: int = pictures.SIZE
    ) -> tuple[Tensor, Tensor]:
        """Return pictures [B, 3, size, size] and the index in SUBJECTS of each."""
        subjects = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        return self.draw_subjects(subjects, generator, size), subjects

    def draw_subjects(
        self, subjects: Tensor, generator: Generator, size: int = pictures.SIZE
    ) -> Tensor:
        """Return one picture of each subject."""
        chosen = []
        for index in subjects.tolist():
            rows = self.rows[CONCEPTS.index(SUBJECTS[index].concept)]
            chosen.append(rows[torch.randint(len(rows), (1,), generator=generator)])
        row = torch.cat(chosen)
        glyphs = self.masks.glyph[row][:, None].float() / 255
        silhouettes = self.masks.silhouette[row][:, None].float() / 255
        styles = [SUBJECTS[index].style for index in subjects.tolist()]
        batch = torch.empty(len(row), 3, size, size)
        for style in ("ink", "shadow", "line"):
            of = torch.tensor([s == style for s in styles])
            if not of.any():
                continue
            if style == "ink":
                batch[of] = pictures.ink(glyphs[of], generator, size)
            elif style == "shadow":
                batch[of] = pictures.shadow(silhouettes[of], generator, size)
            else:
                batch[of] = pictures.line(glyphs[of], silhouettes[of], generator, size)
        return batch
