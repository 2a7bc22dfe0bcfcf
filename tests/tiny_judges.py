"""Random, tiny judges of every family, in folders as transformers writes them.

Their settings are those of the repositories on the hub that they are named after, but for size.
"""

import io
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    GemmaTokenizer,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipTokenizer,
)

CORPUS = ["a photo of a skull", "an oil painting of a rocket ship", "people around a campfire"] * 9
LETTERS = [chr(c) for c in range(33, 127)]
LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
SIZE = 24
"""Side of what the networks see; not a power of two, so that every picture is resized."""


def write_clip(folder: Path, eos_token_id: int | None = None) -> Path:
    """Write a CLIPModel like openai/clip-vit-large-patch14, shortest edge and crop.

    Args:
        folder: Is created.
        eos_token_id: In the configuration; 2 in old repositories, whose text ends at the largest
            token instead.
    """
    ends = ["<|startoftext|>", "<|endoftext|>"]
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *ends]
    last = len(pieces) - 1
    text = {
        **LAYERS,
        "vocab_size": len(pieces),
        "max_position_embeddings": 20,
        "bos_token_id": last - 1,
        "eos_token_id": last if eos_token_id is None else eos_token_id,
        "pad_token_id": last,
    }
    config = CLIPConfig(text_config=text, vision_config=_vision(), projection_dim=16)
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    return _write(
        folder,
        _random(CLIPModel, config),
        CLIPTokenizer(vocabulary, merges=[], model_max_length=20),
        CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=_square(SIZE)),
    )


def write_pickscore(folder: Path) -> Path:
    """Write a CLIPModel like yuvalkirstain/PickScore_v1: CLIP, with an old configuration."""
    return write_clip(folder, eos_token_id=2)


def write_siglip(folder: Path) -> Path:
    """Write a SiglipModel like google/siglip-base-patch16-224, with a sentencepiece tokenizer."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        vocab_size=60,
        unk_id=2,
        eos_id=1,
        pad_id=0,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=16)
    return _write(folder, _random(SiglipModel, _siglip(64)), tokenizer, _siglip_processor(3))


def write_siglip_2(folder: Path) -> Path:
    """Write a SiglipModel like google/siglip2-base-patch16-224: SigLIP's code, Gemma's tokenizer.

    The tokenizer pads on the left and keeps capitals, as Gemma's does unless told otherwise.
    """
    return _write(
        folder, _random(SiglipModel, _siglip(200)), _gemma_tokenizer(), _siglip_processor(2)
    )


def write_naflex(folder: Path) -> Path:
    """Write a Siglip2Model like google/siglip2-base-patch16-naflex, whose pictures are patches."""
    text = {**LAYERS, "vocab_size": 200, "max_position_embeddings": 16}
    vision = {**LAYERS, "patch_size": 8, "num_patches": 16}
    config = Siglip2Config(text_config=text, vision_config=vision)
    processor = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    return _write(folder, _random(Siglip2Model, config), _gemma_tokenizer(), processor)


JUDGES = {
    "clip": write_clip,
    "pickscore": write_pickscore,
    "siglip": write_siglip,
    "siglip-2": write_siglip_2,
}


def _vision() -> dict[str, Any]:
    return {**LAYERS, "image_size": SIZE, "patch_size": 8}


def _siglip(vocab_size: int) -> SiglipConfig:
    text = {**LAYERS, "vocab_size": vocab_size, "max_position_embeddings": 16}
    return SiglipConfig(text_config=text, vision_config=_vision())


def _siglip_processor(resample: int) -> SiglipImageProcessorPil:
    half = [0.5, 0.5, 0.5]
    return SiglipImageProcessorPil(
        size=_square(SIZE), resample=resample, image_mean=half, image_std=half
    )


def _gemma_tokenizer() -> GemmaTokenizer:
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    return GemmaTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=[],
        add_bos_token=False,
        add_eos_token=True,
    )


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def _random(kind: Any, config: Any) -> Any:
    """Return a network whose answers differ: the usual first weights leave them nearly equal."""
    torch.manual_seed(0)
    network = kind(config).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.constant_(network.logit_scale, 3.0)
    return network


def _write(folder: Path, *parts: Any) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder
