"""Judges: CLIP-like models that score pictures against prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from fundiff.catalogue import ModelError
from fundiff.models import fetch_whole

BATCH = 16
"""Pictures per forward pass, padded, so that a score does not depend on the company."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A CLIP-like model of transformers, in float32.

    Attributes:
        model: With `get_image_features`, `get_text_features` and `logit_scale`.
        image_processor: Turns Pillow images into pixel values.
        tokenizer: Turns prompts into token ids.
    """

    model: Any
    image_processor: Any
    tokenizer: Any

    @property
    def temperature(self) -> float:
        """What similarities are divided by before a softmax."""
        return float((-self.model.logit_scale).exp())

    @torch.inference_mode()
    def image_embeds(self, images: Sequence[Image.Image]) -> Tensor:
        """Return unit vectors, (images, width), on the CPU."""
        embeds = []
        for start in range(0, len(images), BATCH):
            batch = list(images[start : start + BATCH])
            padded = batch + [batch[0]] * (BATCH - len(batch))
            pixels = self.image_processor(images=padded, return_tensors="pt").pixel_values
            features = self.model.get_image_features(pixel_values=pixels.to(self.model.device))
            embeds.append(features.pooler_output[: len(batch)].cpu())
        return torch.nn.functional.normalize(torch.cat(embeds), dim=-1)

    @torch.inference_mode()
    def text_embeds(self, prompts: Sequence[str]) -> Tensor:
        """Return unit vectors, (prompts, width), on the CPU; each prompt is encoded by itself."""
        embeds = []
        for prompt in prompts:
            tokens = self.tokenizer(
                [prompt],
                padding="max_length",
                max_length=self.model.config.text_config.max_position_embeddings,
                truncation=True,
                return_tensors="pt",
            ).to(self.model.device)
            # Only what the tokenizer gives: SigLIP has no attention mask, and must get none.
            embeds.append(self.model.get_text_features(**tokens).pooler_output.cpu())
        return torch.nn.functional.normalize(torch.cat(embeds), dim=-1)


def load_judge(model: str, device: torch.device) -> Judge:
    """Return a judge from a hub id or a folder: CLIP, SigLIP, SigLIP 2, PickScore and the like.

    Raises:
        ModelError: If the model cannot be had or is no CLIP-like model.
    """
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder = fetch_whole(model)
    network = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    if not hasattr(network, "get_image_features") or not hasattr(network, "logit_scale"):
        raise ModelError(
            f"judge {model!r} is a {type(network).__name__}; "
            "choose a CLIP-like model such as openai/clip-vit-large-patch14"
        )
    return Judge(
        network.to(device).eval().requires_grad_(False),
        AutoImageProcessor.from_pretrained(folder, backend="pil"),
        AutoTokenizer.from_pretrained(folder),
    )
