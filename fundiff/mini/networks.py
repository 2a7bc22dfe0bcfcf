"""The embedded model's networks and schedulers, before any training."""

from typing import Any

from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    ResNetConfig,
    ResNetForImageClassification,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from fundiff.mini.concepts import SUBJECTS, prompts

TEXT_LENGTH = 77
TEXT_WIDTH = 64


def _words() -> list[str]:
    return sorted({word for subject in SUBJECTS for p in subject.prompts for word in p.split()})


def tokenizer() -> T5Tokenizer:
    """Return a T5 tokenizer whose pieces are the prompts' words and single characters."""
    words = _words()
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


JUDGE_TEXT_LENGTH = 24


def image_processor(size: int) -> CLIPImageProcessorPil:
    """Return what brings a Pillow image to this size and to [-1, 1]."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def judge_processor() -> CLIPProcessor:
    """Return the judge's processor: 32-pixel images, byte pairs that rebuild the words."""
    characters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*characters, *(f"{c}</w>" for c in characters)]
    merges = []
    for word in _words():
        head, rest = word[0], [*word[1:-1], f"{word[-1]}</w>"]
        for piece in rest if len(word) > 1 else []:
            merges.append((head, piece))
            head += piece
            pieces.append(head)
    pieces = [*dict.fromkeys(pieces), "<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = CLIPTokenizer(
        vocab, list(dict.fromkeys(merges)), model_max_length=JUDGE_TEXT_LENGTH
    )
    return CLIPProcessor(image_processor(32), tokenizer)


def judge(vocab_size: int) -> CLIPModel:
    """Return the judge: a vision transformer with patches of 4, a text transformer of 2 layers."""
    shared = {"hidden_size": 96, "num_attention_heads": 3}
    text = {
        "vocab_size": vocab_size,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "max_position_embeddings": JUDGE_TEXT_LENGTH,
        "bos_token_id": vocab_size - 2,
        "eos_token_id": vocab_size - 1,
        "pad_token_id": vocab_size - 1,
    }
    vision = {"image_size": 32, "patch_size": 4, "intermediate_size": 256, "num_hidden_layers": 4}
    return CLIPModel(
        CLIPConfig(
            text_config={**shared, **text}, vision_config={**shared, **vision}, projection_dim=64
        )
    )


READER_SIZE = 64


def reader() -> ResNetForImageClassification:
    """Return the independent classifier: a small residual network on 64-pixel images."""
    labels = dict(enumerate(prompts()))
    return ResNetForImageClassification(
        ResNetConfig(
            embedding_size=24,
            hidden_sizes=[32, 64, 96, 112],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            id2label=labels,
            label2id={prompt: i for i, prompt in labels.items()},
        )
    )
