"""Judges: CLIP-like models that score pictures against prompts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fundiff.catalogue import DEFAULT_JUDGE, MINI, ModelError
from fundiff.models import fetch_whole
from fundiff.preprocessing import Preprocessing, preprocessing

BATCH = 16
"""Pictures per forward pass, padded, so that a score does not depend on the company."""

EXAMPLE = f"choose a CLIP-like model such as {DEFAULT_JUDGE}"


@dataclass(frozen=True, slots=True)
class Judge:
    """A CLIP-like model of transformers, in float32.

    Attributes:
        model: With `get_image_features`, `get_text_features` and `logit_scale`.
        preprocessing: Turns pictures into pixel values.
        tokenizer: Turns prompts into token ids.
    """

    model: Any
    preprocessing: Preprocessing
    tokenizer: Any
    # Every prompt that was ever asked for: a run has few, and each takes some 3 KB.
    _texts: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def temperature(self) -> float:
        """What similarities are divided by before a softmax; SigLIP's bias changes none."""
        return float((-self.model.logit_scale).exp())

    @torch.inference_mode()
    def image_embeds(self, pictures: Sequence[Tensor]) -> Tensor:
        """Return unit vectors, (pictures, width), float32 on the CPU.

        Args:
            pictures: At least one, each (3, H, H) in [-1, 1], of any sizes and on any device.
        """
        embeds = []
        for start in range(0, len(pictures), BATCH):
            pixels = [self.preprocessing(x) for x in pictures[start : start + BATCH]]
            padded = torch.stack(pixels + pixels[:1] * (BATCH - len(pixels)))
            padded = padded.to(self.model.device)
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # float32 it is
                features = self.model.get_image_features(pixel_values=padded)
            embeds.append(features.pooler_output[: len(pixels)].cpu())
        return normalize(torch.cat(embeds), dim=-1)

    @torch.inference_mode()
    def text_embeds(self, prompts: Sequence[str]) -> Tensor:
        """Return unit vectors, (prompts, width), float32 on the CPU.

        Each prompt is encoded by itself, and once: the next time nothing is computed. What is
        longer than the model can read is cut off.

        Args:
            prompts: At least one.
        """
        for prompt in prompts:
            if prompt not in self._texts:
                self._texts[prompt] = self._encoded(prompt)
        return torch.stack([self._texts[prompt] for prompt in prompts])

    def _encoded(self, prompt: str) -> Tensor:
        """Return the unit vector of one prompt, padded to the length of the model's training.

        SigLIP and SigLIP 2 were trained on lower case, and attend to their padding: they are given
        no mask, whatever their tokenizers would do (arXiv:2502.14786, section 2; big_vision).
        CLIP reads its answer from the end of the text, so that padding changes nothing.
        """
        siglip = self.model.config.model_type.startswith("siglip")
        positions = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(
            [prompt.lower() if siglip else prompt],
            padding="max_length",
            padding_side="right",
            max_length=min(positions, self.tokenizer.model_max_length),
            truncation=True,
            return_attention_mask=not siglip,
            return_tensors="pt",
        ).to(self.model.device)
        features = self.model.get_text_features(**tokens).pooler_output
        return normalize(features.cpu(), dim=-1)[0]


def load_judge(model: str, device: torch.device) -> Judge:
    """Return a judge: CLIP, SigLIP, SigLIP 2 of fixed resolution, PickScore and the like.

    Args:
        model: `mini`, a hub id, with a revision as in `owner/name@revision` or the newest, or a
            folder.
        device: Where it goes, in float32 whatever the weights are stored in.

    Raises:
        ModelError: If the model cannot be had, or is none that can judge.
    """
    from transformers import AutoImageProcessor, AutoTokenizer

    folder = _fetched(model)
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"judge {model!r} has no safetensors weights; fundiff reads no other kind"
        )
    with _explained(model):
        network = _network(folder).to(device).eval().requires_grad_(False)
        processor = AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        judge = Judge(network, preprocessing(processor), tokenizer)
        # A tokenizer without its files is loaded all the same, with an empty vocabulary.
        cat, dog = judge.text_embeds(["a cat", "a dog"])
        if torch.allclose(cat, dog, rtol=0, atol=1e-6):
            raise ValueError("all prompts are the same to it, as if files of its tokenizer lacked")
    return judge


def _network(folder: Path) -> Any:
    """Return the network of a folder if it can judge, in float32."""
    from transformers import AutoModel

    network, loaded = AutoModel.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if not hasattr(network, "get_image_features") or not hasattr(network, "logit_scale"):
        raise ValueError(f"it is a {type(network).__name__}")
    if missing := sorted(loaded["missing_keys"]):
        raise ValueError(f"{len(missing)} of its weights are missing, such as {missing[0]}")
    return network


def _fetched(model: str) -> Path:
    """Return the folder of a judge; a folder's own name may have an @ in it."""
    if model == "mini":
        return MINI / "judge"
    if Path(model).expanduser().is_dir():
        return fetch_whole(model)
    name, _, revision = model.partition("@")
    return fetch_whole(name, revision or None)


@contextmanager
def _explained(model: str) -> Iterator[None]:
    """Say in one line what is wrong with a checkpoint, and what to do."""
    try:
        yield
    except (ImportError, KeyError, OSError, ValueError) as error:
        reason = shorten(str(error), 200, placeholder=" ...")
        raise ModelError(f"judge {model!r} cannot be used: {reason}; {EXAMPLE}") from error
