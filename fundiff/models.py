"""Loads a cascade's parts from a hub id or a folder: one UNet, one schedule, one text encoder.

Only what is needed is fetched and loaded: no safety checker, no watermarker, and the text encoder
only by who encodes. Only safetensors are read.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from fundiff.catalogue import ModelError, hub_id
from fundiff.schedule import Schedule

DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One UNet of the cascade and what it was trained with.

    Attributes:
        unet: diffusers' UNet2DConditionModel, on its device, in its dtype.
        schedule: Of the reverse process.
        image_noising_schedule: Of the low-res conditioning; None in stage I.
        size: Side of its pictures in pixels.
    """

    unet: Any
    schedule: Schedule
    image_noising_schedule: Schedule | None
    size: int

    @property
    def device(self) -> torch.device:
        """The device of the UNet and of the pictures it draws."""
        device: torch.device = self.unet.device
        return device

    def __call__(
        self, samples: Tensor, t: Tensor, prompt_embeds: Tensor, noise_level: Tensor | None
    ) -> Tensor:
        """Return the UNet's output in float32, (L, 6, H, W), for L lanes."""
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            samples.to(dtype),
            t,
            encoder_hidden_states=prompt_embeds.to(dtype),
            class_labels=noise_level,
            return_dict=False,
        )[0]
        return output.float()


def quiet() -> None:
    """Keep transformers' notes and progress bars out of the logs; warnings of ours stay."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def choose_device(name: str | None = None) -> torch.device:
    """Return the named device, or the first GPU if there is one, or else the CPU.

    Raises:
        ModelError: If CUDA is asked for and there is none.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(f"device {name!r} was asked for, but torch sees no GPU here; use cpu")
    return torch.device(name)


def choose_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the named dtype, or float16 on a GPU (as IF was released) and float32 on a CPU.

    Raises:
        ModelError: If the name is unknown.
    """
    if name is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise ModelError(f"dtype {name!r} is unknown; choose from {', '.join(DTYPES)}")
    return DTYPES[name]


def load_stage(
    model: str, device: torch.device, dtype: torch.dtype, revision: str | None = None
) -> Stage:
    """Return a stage from a hub id or a folder.

    Args:
        model: Such as `DeepFloyd/IF-I-M-v1.0`, or a folder of the same layout.
        device: Where the UNet goes.
        dtype: What it computes in; a half dtype prefers the fp16 files.
        revision: Git revision on the hub.

    Raises:
        ModelError: If the model cannot be had, or does not fit on the GPU.
    """
    folder = fetch(model, ["unet", "scheduler", "image_noising_scheduler"], dtype, revision)
    unet = load_part(UNet2DConditionModel, model, folder / "unet", device, dtype)
    noising = folder / "image_noising_scheduler"
    return Stage(
        unet,
        _schedule(folder / "scheduler"),
        _schedule(noising) if noising.is_dir() else None,
        unet.config.sample_size,
    )


def load_text_encoder(
    model: str, device: torch.device, dtype: torch.dtype, revision: str | None = None
) -> tuple[Any, Any]:
    """Return tokenizer and T5 encoder of a stage I repository.

    Raises:
        ModelError: If the model cannot be had, or does not fit on the GPU.
    """
    from transformers import AutoTokenizer, T5EncoderModel

    folder = fetch(model, ["tokenizer", "text_encoder"], dtype, revision)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    return tokenizer, load_part(T5EncoderModel, model, folder / "text_encoder", device, dtype)


def load_part(
    kind: Any, model: str, folder: Path, device: torch.device, dtype: torch.dtype
) -> Any:
    """Return one network of a repository, ready to be asked and not to be trained.

    Args:
        kind: Class of diffusers or transformers.
        model: Name of the repository, for what is said.
        folder: With the network's configuration and its safetensors.
        device: Where it goes.
        dtype: What it computes in; a half dtype prefers the fp16 files.

    Raises:
        ModelError: If there are no such weights, or they do not fit on the GPU.
    """
    variant = _variant(folder, dtype)
    _require_memory(model, folder, variant, dtype, device)
    network = kind.from_pretrained(folder, variant=variant, dtype=dtype, use_safetensors=True)
    return network.to(device).eval().requires_grad_(False)


def fetch(
    model: str, parts: list[str], dtype: torch.dtype = torch.float32, revision: str | None = None
) -> Path:
    """Return a folder with the named parts of a model, downloaded unless it is a folder already.

    Raises:
        ModelError: With what to do, if the model is unknown, gated or out of reach.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if missing := [part for part in parts[:1] if not (folder / part).is_dir()]:
            raise ModelError(
                f"model folder {folder} has no {missing[0]}/; it needs the hub's layout"
            )
        return folder
    half = dtype in (torch.float16, torch.bfloat16)
    patterns = ["model_index.json", *(f"{part}/*" for part in parts)]
    unwanted = ["*.bin", "*.onnx*", "*.msgpack", "*.h5"]
    ignored = unwanted if half else [*unwanted, "*fp16*"]
    return _download(hub_id(model), revision, patterns, ignored)


def fetch_whole(model: str, revision: str | None = None) -> Path:
    """Return a folder with a whole transformers model, downloaded unless it is a folder already.

    Args:
        model: Hub id or folder.
        revision: Git revision on the hub; None is the newest.

    Raises:
        ModelError: With what to do, if the model is unknown, gated or out of reach.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    wanted = ["*.json", "*.txt", "*.model", "*.safetensors"]
    # The same weights for other libraries, and in folders of other formats.
    return _download(hub_id(model), revision, wanted, ["open_clip*", "*/*"])


def _download(model: str, revision: str | None, patterns: list[str], unwanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(
            snapshot_download(
                model, revision=revision, allow_patterns=patterns, ignore_patterns=unwanted
            )
        )
    except GatedRepoError as error:
        raise ModelError(
            f"model {model!r} is gated: accept its licence on its hub page while logged in, "
            "then run `hf auth login` or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model {model!r} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"model {model!r} is not on the hub, or private: check the name and HF_TOKEN"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"model {model!r} is not in the local cache and the hub cannot be reached: "
            "download it on a machine with network access, or give the path of a folder"
        ) from error


def _schedule(folder: Path) -> Schedule:
    scheduler = DDPMScheduler.from_pretrained(folder)
    config = scheduler.config
    kind = (config.prediction_type, config.variance_type)
    if folder.name == "scheduler" and kind != ("epsilon", "learned_range"):
        raise ModelError(
            f"{folder} predicts {kind[0]} with {kind[1]} variance; "
            "fundiff draws with epsilon and learned_range, as DeepFloyd IF has them"
        )
    if config.thresholding:
        clipped = config.dynamic_thresholding_ratio, config.sample_max_value
    else:
        clipped = None, config.clip_sample_range if config.clip_sample else math.inf
    return Schedule(tuple(scheduler.alphas_cumprod.double().tolist()), *clipped)


def _weights(folder: Path, variant: str | None) -> list[Path]:
    return [
        file
        for file in folder.glob("*.safetensors")
        if (".fp16" in file.name) == (variant is not None)
    ]


def _variant(folder: Path, dtype: torch.dtype) -> str | None:
    """Return which set of weight files to read: the half-size one if it will do."""
    half, full = _weights(folder, "fp16"), _weights(folder, None)
    if not half and not full:
        raise ModelError(f"{folder} holds no safetensors weights; fundiff reads no other kind")
    return "fp16" if half and (dtype != torch.float32 or not full) else None


def _require_memory(
    model: str, folder: Path, variant: str | None, dtype: torch.dtype, device: torch.device
) -> None:
    if device.type != "cuda":
        return
    stored = torch.float16 if variant else torch.float32
    on_disk = sum(file.stat().st_size for file in _weights(folder, variant))
    free, total = torch.cuda.mem_get_info(device)
    require_memory(
        f"{model} ({folder.name})", on_disk * dtype.itemsize // stored.itemsize, free, total
    )


def require_memory(what: str, needed: int, free: int, total: int) -> None:
    """Refuse weights that a GPU cannot hold, with what would help.

    Args:
        what: Name of the weights.
        needed: Their bytes in the dtype asked for.
        free: Free bytes on the GPU.
        total: All bytes on the GPU.

    Raises:
        ModelError: If the weights and a tenth more do not fit into the free memory.
    """
    if needed * 1.1 > free:
        raise ModelError(
            f"{what} needs {needed / 2**30:.1f} GiB, but the GPU has {free / 2**30:.1f} GiB free "
            f"of {total / 2**30:.1f}; use float16, a smaller model, or a larger GPU"
        )
