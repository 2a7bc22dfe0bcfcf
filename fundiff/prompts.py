"""Prompts to embeddings, each unique prompt once."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

TOKENS = 77
"""DeepFloyd IF was trained on prompts of this many T5 tokens."""


def normalised(prompt: str) -> str:
    """Return a prompt as DeepFloyd IF was trained on it: lower case, no space around it."""
    return prompt.lower().strip()


@torch.inference_mode()
def encode(prompts: Iterable[str], tokenizer: Any, text_encoder: Any) -> dict[str, Tensor]:
    """Return the embeddings of each unique prompt, (77, width) in the encoder's dtype.

    Each prompt is encoded by itself, so that its bits do not depend on the other prompts.

    Args:
        prompts: As they stand in the manifest, the empty one included where guidance needs it.
        tokenizer: Of the stage I repository.
        text_encoder: T5 encoder of the stage I repository.
    """
    embeddings = {}
    for prompt in dict.fromkeys(prompts):
        tokens = tokenizer(
            normalised(prompt),
            padding="max_length",
            max_length=TOKENS,
            truncation=True,
            return_tensors="pt",
        ).to(text_encoder.device)
        hidden = text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
        embeddings[prompt] = hidden[0].cpu().contiguous()
    return embeddings
