"""How well judge and reader read real pictures drawn with the fonts that they did not see."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Generator
from transformers import AutoImageProcessor, AutoModelForImageClassification

from fundiff.judges import load_judge
from fundiff.mini import masks
from fundiff.mini.concepts import SUBJECTS, prompts
from fundiff.mini.evaluate import read_as
from fundiff.mini.export import WEIGHTS
from fundiff.mini.samples import Sampler
from fundiff.pictures import to_image, to_tensor

COUNT = 1500

Read = Callable[[Sequence[Image.Image]], list[str]]


def accuracy(read: Read, sampler: Sampler) -> dict[str, float]:
    """Return, per style, the share of fresh pictures whose prompt is read, among all prompts."""
    batch, subjects = sampler.draw(COUNT, Generator().manual_seed(0))
    chosen = [SUBJECTS[i] for i in subjects.tolist()]
    read_prompts = read([to_image(x) for x in batch])
    right = [a == b.prompt for a, b in zip(read_prompts, chosen, strict=True)]
    shares = {}
    for style in ("ink", "shadow", "line"):
        of = [r for r, subject in zip(right, chosen, strict=True) if subject.style == style]
        shares[style] = round(sum(of) / len(of), 3)
    return shares


def check(build: Path, weights: Path = WEIGHTS) -> None:
    """Print the judge's accuracy on the held-out fonts, and the reader's on the generator's."""
    every = masks.load(build / "masks.npz")
    judge = load_judge(str(weights / "judge"), torch.device("cpu"))
    texts = judge.text_embeds(prompts())

    def judged(images: Sequence[Image.Image]) -> list[str]:
        best = (
            (judge.image_embeds([to_tensor(image) for image in images]) @ texts.T)
            .argmax(1)
            .tolist()
        )
        return [prompts()[i] for i in best]

    folder = weights / "reader"
    reader = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(folder)

    def read(images: Sequence[Image.Image]) -> list[str]:
        return read_as(reader, processor, images)

    print("judge, held-out fonts", accuracy(judged, Sampler.over(every.of(held_out=True))))
    print("reader, the generator's fonts", accuracy(read, Sampler.over(every.of(held_out=False))))
