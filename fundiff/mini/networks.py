"""The embedded model's networks and schedulers, before any training."""

from typing import Any

from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from fundiff.mini.concepts import SUBJECTS

TEXT_LENGTH = 77
TEXT_WIDTH = 64


def tokenizer() -> T5Tokenizer:
    """Return a T5 tokenizer whose pieces are the prompts' words and single characters."""
    words = sorted({word for subject in SUBJECTS for p in subject.prompts for word in p.split()})
    characters = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789" if c not in words]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0)]
    pieces += [(f"▁{word}", -2.0) for word in words]
    pieces += [(character, -12.0) for character in [*words, *characters] if len(character) == 1]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=TEXT_LENGTH)


def text_encoder(vocab_size: int) -> T5EncoderModel:
    """Return a T5 encoder of two layers, 64 wide."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocab_size,
            d_model=TEXT_WIDTH,
            d_kv=16,
            d_ff=128,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            decoder_start_token_id=0,
        )
    )


def _unet(**settings: Any) -> UNet2DConditionModel:
    depth = len(settings["block_out_channels"])
    return UNet2DConditionModel(
        out_channels=6,
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D",) * (depth - 1)
        + ("SimpleCrossAttnDownBlock2D",),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D",) + ("ResnetUpsampleBlock2D",) * (depth - 1),
        attention_head_dim=32,
        cross_attention_dim=TEXT_WIDTH,
        encoder_hid_dim=TEXT_WIDTH,
        encoder_hid_dim_type="text_proj",
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        **settings,
    )


def stage_1() -> UNet2DConditionModel:
    """Return the 32-pixel UNet: IF's blocks, narrow; attention at 8x8 only."""
    return _unet(sample_size=32, in_channels=3, block_out_channels=(32, 64, 128))


def stage_2() -> UNet2DConditionModel:
    """Return the 128-pixel UNet: x_t and the enlarged small picture in, noise level as class."""
    return _unet(
        sample_size=128,
        in_channels=6,
        block_out_channels=(32, 32, 64, 96),
        class_embed_type="timestep",
    )


def scheduler(sample_max_value: float) -> DDPMScheduler:
    """Return IF's scheduler; sample_max_value is 1.5 in stage I and 1 in stage II."""
    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=sample_max_value,
    )
