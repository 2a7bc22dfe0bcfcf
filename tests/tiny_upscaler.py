"""A random, tiny upscaler in a folder of stabilityai/stable-diffusion-x4-upscaler's layout.

The parts that diffusers' pipeline can do without (safety checker, watermarker, feature extractor)
are there, named by `model_index.json`, and broken on purpose: loading one would raise.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

WIDTH = 32
MAX_NOISE_LEVEL = 350
START, END = "<|startoftext|>", "<|endoftext|>"
LETTERS = [chr(c) for c in range(33, 127)]
PIECES = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), START, END]


def write_tiny_upscaler(folder: Path) -> Path:
    """Write the parts of an upscaler into a new folder and return it."""
    torch.manual_seed(0)
    _write_tokenizer(folder / "tokenizer")
    for part, module in (("unet", _unet()), ("vae", _vae()), ("text_encoder", _text_encoder())):
        module.save_pretrained(folder / part)
        module.half().save_pretrained(folder / "aside", variant="fp16")
        for file in (folder / "aside").glob("*.fp16.safetensors"):
            file.rename(folder / part / file.name)  # a second save there would delete the first
        for file in (folder / "aside").iterdir():
            file.unlink()
    (folder / "aside").rmdir()
    _write_schedulers(folder)
    for part in ("safety_checker", "watermarker"):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text("{broken")
        (folder / part / "model.safetensors").write_bytes(b"not weights")
    (folder / "feature_extractor").mkdir()
    (folder / "feature_extractor" / "preprocessor_config.json").write_text("{broken")
    _write_index(folder)
    return folder


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=7,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        only_cross_attention=(True, False),
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        num_class_embeds=1000,
        use_linear_projection=True,
        norm_num_groups=8,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=32,
        latent_channels=4,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=8,
        scaling_factor=0.08333,
    )


def _text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(PIECES),
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_act="gelu",
        bos_token_id=PIECES.index(START),
        eos_token_id=PIECES.index(END),
        pad_token_id=PIECES.index("!"),
    )
    return CLIPTextModel(config)


def _write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokens = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": "!"}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))


def _write_schedulers(folder: Path) -> None:
    betas = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
    DDIMScheduler(
        **betas,
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    DDPMScheduler(**betas).save_pretrained(folder / "low_res_scheduler")


def _write_index(folder: Path) -> None:
    index = {
        "_class_name": "StableDiffusionUpscalePipeline",
        "_diffusers_version": "0.8.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "low_res_scheduler": ["diffusers", "DDPMScheduler"],
        "max_noise_level": MAX_NOISE_LEVEL,
        "safety_checker": ["deepfloyd_if", "IFSafetyChecker"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "watermarker": ["deepfloyd_if", "IFWatermarker"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
