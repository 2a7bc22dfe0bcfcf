"""From checkpoints to the folders that ship: half-precision weights that diffusers loads."""

import shutil
from pathlib import Path

import torch
from diffusers import IFPipeline, IFSuperResolutionPipeline
from torch import nn
from transformers import T5EncoderModel, T5Tokenizer

from fundiff.mini import networks

WEIGHTS = Path(__file__).parent / "weights"


def trained(model: nn.Module, checkpoint: Path) -> nn.Module:
    """Return a network with the averaged weights of a checkpoint, in half precision."""
    state = torch.load(checkpoint, weights_only=True)["average"]
    model.load_state_dict(state)
    return model.half().eval()


def export_stage_1(build: Path, folder: Path) -> None:
    """Write stage I as an IFPipeline."""
    encoder = T5EncoderModel.from_pretrained(build / "text_encoder")
    pipeline = IFPipeline(
        tokenizer=T5Tokenizer.from_pretrained(build / "tokenizer"),
        text_encoder=encoder.half(),
        unet=trained(networks.stage_1(), build / "stage-1.pt"),
        scheduler=networks.scheduler(sample_max_value=1.5),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, variant="fp16")


def export_stage_2(build: Path, folder: Path) -> None:
    """Write stage II as an IFSuperResolutionPipeline; the text encoder is stage I's."""
    scheduler = networks.scheduler(sample_max_value=1.0)
    pipeline = IFSuperResolutionPipeline(
        tokenizer=None,
        text_encoder=None,
        unet=trained(networks.stage_2(), build / "stage-2.pt"),
        scheduler=scheduler,
        image_noising_scheduler=networks.scheduler(sample_max_value=1.0),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, variant="fp16")


def export_judge(build: Path, folder: Path) -> None:
    """Write the judge as a CLIPModel with its processor."""
    processor = networks.judge_processor()
    model = trained(networks.judge(len(processor.tokenizer)), build / "judge.pt")
    model.save_pretrained(folder)  # type: ignore[operator]
    processor.save_pretrained(folder)


def export_reader(build: Path, folder: Path) -> None:
    """Write the independent classifier with its processor."""
    trained(networks.reader(), build / "reader.pt").save_pretrained(folder)  # type: ignore[operator]
    networks.image_processor(networks.READER_SIZE).save_pretrained(folder)


EXPORTS = {
    "stage-1": export_stage_1,
    "stage-2": export_stage_2,
    "judge": export_judge,
    "reader": export_reader,
}


def export(build: Path, weights: Path = WEIGHTS) -> None:
    """Write every model that has a checkpoint, at whatever state it is in."""
    for name, write in EXPORTS.items():
        if (build / f"{name}.pt").exists():
            shutil.rmtree(weights / name, ignore_errors=True)
            write(build, weights / name)
            size = sum(file.stat().st_size for file in (weights / name).rglob("*.*"))
            print(f"{weights / name}: {size / 1e6:.1f} MB")
