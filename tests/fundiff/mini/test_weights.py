"""The weights that ship: small, loadable by diffusers and transformers alone, and of use."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import IFPipeline, IFSuperResolutionPipeline
from PIL import Image, ImageDraw, ImageFont
from transformers import AutoImageProcessor, AutoModelForImageClassification

from fundiff.judges import load_judge
from fundiff.mini.concepts import prompts
from fundiff.mini.export import WEIGHTS
from fundiff.pictures import to_tensor


def drawn(paint: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    image = Image.new("RGB", (128, 128), (236, 236, 236))
    paint(ImageDraw.Draw(image))
    return image


def character(c: str) -> Image.Image:
    font = ImageFont.load_default(128)
    return drawn(lambda pen: pen.text((64, 64), c, (20, 20, 20), font, anchor="mm"))


def polygon(*points: tuple[int, int]) -> Image.Image:
    return drawn(lambda pen: pen.polygon(points, fill=(20, 20, 20)))


DRAWN = {
    **{f"the letter {c}": character(c.upper()) for c in "aehkmprx"},
    **{f"the digit {c}": character(c) for c in "234"},
    "a diamond": polygon((64, 18), (98, 64), (64, 110), (30, 64)),
}
"""Drawn with Pillow's own font, which no network was trained on."""


def test_the_weights_are_small() -> None:
    """All of them together stay below 24 MB, in safetensors."""
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*.*")) < 24e6
    assert not [*WEIGHTS.rglob("*.bin"), *WEIGHTS.rglob("*.pt"), *WEIGHTS.rglob("*.pkl")]


@pytest.mark.filterwarnings("default")
def test_diffusers_runs_the_cascade_alone() -> None:
    """IFPipeline and IFSuperResolutionPipeline load the folders and draw with them."""
    stage_1 = IFPipeline.from_pretrained(WEIGHTS / "stage-1", variant="fp16", dtype=torch.float32)
    stage_2 = IFSuperResolutionPipeline.from_pretrained(
        WEIGHTS / "stage-2",
        variant="fp16",
        dtype=torch.float32,
        tokenizer=stage_1.tokenizer,
        text_encoder=stage_1.text_encoder,
    )
    settings = {
        "prompt": "a heart",
        "num_inference_steps": 2,
        "clean_caption": False,
        "generator": torch.Generator().manual_seed(0),
    }
    small = stage_1(**settings, output_type="pt").images
    large = stage_2(**settings, image=small, output_type="pt").images
    assert small.shape == (1, 3, 32, 32)
    assert large.shape == (1, 3, 128, 128)
    assert large.isfinite().all()


def test_the_judge_reads_what_no_font_of_its_own_drew() -> None:
    """At least 10 of 12 simple drawings are nearest to their own prompt, among all prompts."""
    judge = load_judge(str(WEIGHTS / "judge"), torch.device("cpu"))
    pictures = [to_tensor(image) for image in DRAWN.values()]
    similarities = judge.image_embeds(pictures) @ judge.text_embeds(prompts()).T
    named = [prompts()[i] for i in similarities.argmax(1).tolist()]
    assert sum(a == b for a, b in zip(named, DRAWN, strict=True)) >= 10, named


def test_the_reader_names_what_no_font_of_its_own_drew() -> None:
    """The same drawings, read by the independent classifier."""
    folder: Path = WEIGHTS / "reader"
    reader = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    pixels = processor(images=[*DRAWN.values()], return_tensors="pt").pixel_values
    with torch.inference_mode():
        best = reader(pixels).logits.argmax(1).tolist()
    named = [reader.config.id2label[i] for i in best]
    assert sum(a == b for a, b in zip(named, DRAWN, strict=True)) >= 10, named
