"""A random, tiny cascade in folders with exactly the layout of the DeepFloyd IF repositories.

What fundiff must not load (safety checker, watermarker, stage II's text encoder) is there, named
by `model_index.json`, and broken on purpose: loading it would raise.
"""

import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
)

WIDTH = 32
CORPUS = [
    "an oil painting of an old man",
    "an oil painting of people around a campfire",
    "a lithograph of a skull and of waterfalls",
    "a photo of a dog, a hipster barista, the amalfi coast",
    "a pencil sketch of a rocket ship in snowy mountains",
] * 20


def write_tiny_if(root: Path) -> Path:
    """Write stage-1/, stage-2/ and a judge/ below root and return it."""
    write_tiny_judge(root / "judge")
    torch.manual_seed(0)
    for stage, size in (("stage-1", 8), ("stage-2", 32)):
        folder = root / stage
        _write_tokenizer(folder / "tokenizer")
        _write_unet(folder / "unet", stage, size)
        _write_schedulers(folder, stage)
        if stage == "stage-1":
            _write_text_encoder(folder / "text_encoder")
        else:
            _write_broken(folder / "text_encoder")
        for part in ("safety_checker", "watermarker"):
            _write_broken(folder / part)
        (folder / "feature_extractor").mkdir()
        (folder / "feature_extractor" / "preprocessor_config.json").write_text("{broken")
        _write_index(folder, stage)
    return root


def _write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        vocab_size=100,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokens = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": 512, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))


def _write_text_encoder(folder: Path) -> None:
    config = T5Config(
        vocab_size=112,
        d_model=WIDTH,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    encoder = T5EncoderModel(config)
    encoder.save_pretrained(folder, max_shard_size="60KB")
    with tempfile.TemporaryDirectory() as aside:  # a second save here would delete the first
        encoder.half().save_pretrained(aside, max_shard_size="30KB", variant="fp16")
        for file in Path(aside).glob("*fp16*"):
            shutil.copy(file, folder)


def _write_unet(folder: Path, stage: str, size: int) -> None:
    second = stage == "stage-2"
    second_only: dict[str, Any] = {
        "class_embed_type": "timestep",
        "resnet_skip_time_act": True,
        "resnet_out_scale_factor": 1.41421,
        "mid_block_scale_factor": 1.41421,
        "time_embedding_act_fn": "gelu",
    }
    unet = UNet2DConditionModel(
        sample_size=size,
        in_channels=6 if second else 3,
        out_channels=6,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        cross_attention_norm="group_norm",
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
        norm_num_groups=8,
        **(second_only if second else {}),
    )
    unet.save_pretrained(folder)
    unet.half().save_pretrained(folder, variant="fp16")


def _write_schedulers(folder: Path, stage: str) -> None:
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.0 if stage == "stage-2" else 1.5,
        prediction_type="epsilon",
    )
    scheduler.save_pretrained(folder / "scheduler")
    if stage == "stage-2":
        DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(
            folder / "image_noising_scheduler"
        )


def _write_broken(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{broken")
    (folder / "model.safetensors").write_bytes(b"not weights")


def _write_index(folder: Path, stage: str) -> None:
    parts = {
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["deepfloyd_if", "IFSafetyChecker"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "watermarker": ["deepfloyd_if", "IFWatermarker"],
    }
    name = "IFPipeline"
    if stage == "stage-2":
        name = "IFSuperResolutionPipeline"
        parts["image_noising_scheduler"] = ["diffusers", "DDPMScheduler"]
    index = {"_class_name": name, "_diffusers_version": "0.17.0.dev0", **parts}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def write_tiny_judge(folder: Path, seed: int = 1) -> Path:
    """Write a random, tiny CLIPModel with tokenizer and image processor, and return its folder."""
    torch.manual_seed(seed)
    letters = [chr(c) for c in range(33, 127)]
    pieces = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    tokenizer = CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(folder)
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    text = {
        **common,
        "vocab_size": len(pieces),
        "max_position_embeddings": 32,
        "num_attention_heads": 2,
        "bos_token_id": len(pieces) - 2,
        "eos_token_id": len(pieces) - 1,
        "pad_token_id": len(pieces) - 1,
    }
    vision = {**common, "image_size": 16, "patch_size": 4, "num_attention_heads": 2}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": 16, "width": 16}
    CLIPImageProcessorPil(size=size, crop_size=size).save_pretrained(folder)
    return folder
