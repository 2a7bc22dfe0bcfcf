"""Stage III: a finished picture becomes one four times as wide, drawn in a latent space.

Stable Diffusion's upscaler is one more UNet behind the same engine, loop, views and guidance. Its
latent has a place for every pixel of the picture that it enlarges, and the UNet sees it stacked on
that picture, noised a little. Rombach et al., 2021, arXiv:2112.10752, section 4.4; noise
conditioning augmentation, Ho et al., 2021, arXiv:2106.15282.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from fundiff.anagram import anagram
from fundiff.calls import Calls
from fundiff.canvas import Canvas, NoiseSource
from fundiff.catalogue import ModelError
from fundiff.filters import WHOLE, Filter
from fundiff.guidance import Prompts
from fundiff.models import fetch, load_part
from fundiff.prompts import TOKENS
from fundiff.sampling import reverse
from fundiff.schedule import Schedule, explicit
from fundiff.views import View

PARTS = ["unet", "vae", "scheduler", "low_res_scheduler"]

SCALING_FACTOR = 0.08333
"""What the autoencoder's latents are multiplied with. diffusers' pipeline sets it whatever
vae/config.json says, since that did not always say it."""


@dataclass(frozen=True, slots=True)
class Upscaler:
    """A UNet over latents, the autoencoder they belong to, and what it was trained with.

    Attributes:
        unet: diffusers' UNet2DConditionModel, on its device, in its dtype.
        vae: diffusers' AutoencoderKL, on the same device.
        schedule: Of the reverse process.
        image_noising_schedule: Of the low-res conditioning.
        scheduler: diffusers' DDIMScheduler: gives the timesteps, and says what the UNet predicts.
        max_noise_level: The most noise on the low-res picture that the UNet was trained with.
    """

    unet: Any
    vae: Any
    schedule: Schedule
    image_noising_schedule: Schedule
    scheduler: Any
    max_noise_level: int

    @property
    def device(self) -> torch.device:
        """The device of the UNet and of the latents it draws."""
        device: torch.device = self.unet.device
        return device

    def timesteps(self, num_inference_steps: int) -> tuple[int, ...]:
        """Return the falling timesteps that the checkpoint's scheduler chooses.

        Raises:
            ValueError: If there are fewer than 1, or more than the schedule has room for.
        """
        if num_inference_steps < 1:
            raise ValueError(f"num_inference_steps is {num_inference_steps}; choose 1 or more")
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(num_inference_steps)
        return explicit(scheduler.timesteps.tolist(), len(self.schedule.alphas_cumprod))

    def __call__(
        self, samples: Tensor, t: Tensor, prompt_embeds: Tensor, noise_level: Tensor | None
    ) -> Tensor:
        """Return the noise in L latents and zeros for the variance, (L, 2C, h, h), float32.

        A predicted v = sqrt(a) eps - sqrt(1 - a) x_0 becomes eps = sqrt(a) v + sqrt(1 - a) x_t:
        Salimans & Ho, 2022, arXiv:2202.00512, appendix D. Guidance is linear in either alike.

        Args:
            samples: x_t stacked on the low-res picture, (L, C + 3, h, h), float32.
            t: Timesteps, (L,).
            prompt_embeds: (L, 77, width).
            noise_level: Of the low-res pictures, (L,).
        """
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            samples.to(dtype),
            t,
            encoder_hidden_states=prompt_embeds.to(dtype),
            class_labels=noise_level,
            return_dict=False,
        )[0]
        noise_pred = output.float()
        if self.scheduler.config.prediction_type == "v_prediction":
            alpha_prod = samples.new_tensor(self.schedule.alphas_cumprod)[t].view(-1, 1, 1, 1)
            x_t = samples[:, : output.shape[1]]
            noise_pred = alpha_prod.sqrt() * noise_pred + (1 - alpha_prod).sqrt() * x_t
        return torch.cat([noise_pred, torch.zeros_like(noise_pred)], dim=1)


def load_upscaler(
    model: str, device: torch.device, dtype: torch.dtype, revision: str | None = None
) -> Upscaler:
    """Return an upscaler from a hub id or a folder.

    An autoencoder that says so (`force_upcast`) decodes in float32 where float16 was asked for.

    Args:
        model: Such as `stabilityai/stable-diffusion-x4-upscaler`, or a folder of that layout.
        device: Where UNet and autoencoder go.
        dtype: What they compute in; a half dtype prefers the fp16 files.
        revision: Git revision on the hub.

    Raises:
        ModelError: If the model cannot be had, is no upscaler, or does not fit on the GPU.
    """
    folder = _fetch(model, PARTS, dtype, revision)
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(f"{folder} has no {index.name}, which says how much noise is allowed")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    noising = DDPMScheduler.from_pretrained(folder / "low_res_scheduler")
    config = scheduler.config
    if config.prediction_type not in ("v_prediction", "epsilon"):
        raise ModelError(
            f"{folder} predicts {config.prediction_type}; fundiff upscales with v_prediction "
            "or epsilon"
        )

    unet = load_part(UNet2DConditionModel, model, folder / "unet", device, dtype)
    vae = load_part(AutoencoderKL, model, folder / "vae", device, dtype)
    if unet.config.in_channels != vae.config.latent_channels + 3:
        raise ModelError(
            f"{folder} has a UNet of {unet.config.in_channels} channels; that of an upscaler has "
            f"{vae.config.latent_channels} for the latent and 3 for the picture"
        )
    if vae.config.force_upcast and dtype == torch.float16:
        vae = vae.float()
    return Upscaler(
        unet,
        vae,
        Schedule(
            tuple(scheduler.alphas_cumprod.double().tolist()),
            thresholding_ratio=None,
            sample_max_value=config.clip_sample_range if config.clip_sample else math.inf,
            final_alpha_prod=float(scheduler.final_alpha_cumprod),
        ),
        Schedule(tuple(noising.alphas_cumprod.double().tolist())),
        scheduler,
        json.loads(index.read_text()).get("max_noise_level", 350),
    )


def load_upscaler_text(
    model: str, device: torch.device, dtype: torch.dtype, revision: str | None = None
) -> tuple[Any, Any]:
    """Return tokenizer and CLIP text encoder of an upscaler's repository.

    Raises:
        ModelError: If the model cannot be had, or does not fit on the GPU.
    """
    from transformers import CLIPTextModel, CLIPTokenizer

    folder = _fetch(model, ["text_encoder", "tokenizer"], dtype, revision)
    encoder = load_part(CLIPTextModel, model, folder / "text_encoder", device, dtype)
    return CLIPTokenizer.from_pretrained(folder / "tokenizer"), encoder


def _fetch(model: str, parts: list[str], dtype: torch.dtype, revision: str | None) -> Path:
    folder = fetch(model, parts, dtype, revision)
    if missing := [part for part in parts if not (folder / part).is_dir()]:
        raise ModelError(
            f"{folder} has no {missing[0]}/; an upscaler has the layout of "
            "stabilityai/stable-diffusion-x4-upscaler"
        )
    return folder


@torch.inference_mode()
def encode_text(prompts: Iterable[str], tokenizer: Any, text_encoder: Any) -> dict[str, Tensor]:
    """Return the embeddings of each unique prompt, (77, width) in the encoder's dtype.

    Each prompt is encoded by itself, so that its bits do not depend on the other prompts; one of
    more than 77 tokens is cut. As diffusers' pipeline has it, padding is not masked.

    Args:
        prompts: As they stand in the manifest, the empty one included where guidance needs it.
        tokenizer: From `load_upscaler_text`.
        text_encoder: From `load_upscaler_text`.
    """
    embeddings = {}
    for prompt in dict.fromkeys(prompts):
        tokens = tokenizer(
            prompt, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        hidden = text_encoder(tokens.input_ids.to(text_encoder.device))[0]
        embeddings[prompt] = hidden[0].cpu().contiguous()
    return embeddings


def upscale_canvas(
    picture: Tensor,
    upscaler: Upscaler,
    noise: NoiseSource,
    noise_level: int = 20,
    num_inference_steps: int = 75,
) -> Canvas:
    """Return the canvas of a latent, conditioned on the picture that it enlarges.

    The first draw is the noise on the picture; the defaults are those of diffusers' pipeline.

    Args:
        picture: The last stage's picture, (3, h, h) in [-1, 1].
        upscaler: Gives the schedules and the timesteps.
        noise: The candidate's draws in this stage.
        noise_level: Noise on the picture, 0 to the upscaler's `max_noise_level`.
        num_inference_steps: Steps of the reverse process.

    Raises:
        ValueError: If the noise level or the number of steps is out of range.
    """
    if not 0 <= noise_level <= upscaler.max_noise_level:
        raise ValueError(
            f"noise_level is {noise_level}; this upscaler takes 0 to {upscaler.max_noise_level}"
        )
    draw = noise.draw(picture.shape)
    return Canvas(
        (upscaler.vae.config.latent_channels, *picture.shape[1:]),
        upscaler.timesteps(num_inference_steps),
        upscaler.schedule,
        noise,
        upscaler.image_noising_schedule.add_noise(picture, draw, noise_level),
        noise_level,
        sampler="ddim",
    )


def honoured(views: Sequence[View]) -> list[int]:
    """Return the numbers of the views that take part in drawing a latent.

    A latent can be permuted as a picture can, but a negative picture's latent is not the negative
    latent, and latents have no bands of pixels or colours. So a view takes part if its frame only
    permutes and it is read as the picture stands: of components the one seen up close, at rest or
    in colour. If none does it is the first view that is wanted, without its frame.
    """
    taking_part = [number for number, view in enumerate(views) if _takes_part(view)]
    wanted = [number for number, view in enumerate(views) if view.is_wanted]
    return taking_part or (wanted or [0])[:1]


def _takes_part(view: View) -> bool:
    return view.frame.sign > 0 and view.reading is WHOLE and view.is_wanted


def upscale(
    canvas: Canvas, views: Sequence[View], prompts: Prompts, reduction: str = "mean"
) -> Calls[Tensor]:
    """Draw the latent, (C, h, h), of a picture that keeps its views; `decode` makes it one.

    The views that take part (`honoured`) decide on the whole of their frame, or on equal shares
    of it where several do. A latent's place is turned with its frame, but what its channels say
    of the pixels there is not: the autoencoder knows up from down, and Geng et al., 2024,
    arXiv:2311.17919, draw in pixels for that reason. What is drawn here is detail.

    Args:
        canvas: From `upscale_canvas`.
        views: As in the stages before.
        prompts: One prompt per view, from `encode_text`; the pipeline's guidance_scale is 9 and
            its negative prompt empty.
        reduction: As in `fundiff.anagram.anagram`.

    Raises:
        ValueError: If the reduction is unknown, or views and prompts differ in number.
    """
    if len(views) != len(prompts.prompt_embeds):
        raise ValueError(f"{len(views)} views for {len(prompts.prompt_embeds)} prompts; pair them")
    chosen = honoured(views)
    turned = [View(v.name, v.frames if _takes_part(v) else ()) for v in (views[n] for n in chosen)]
    names = [view.frame.name for view in turned]
    shared = [_share(view, names.count(view.frame.name)) for view in turned]
    return reverse(canvas, anagram(canvas, shared, prompts.only(chosen), reduction))


def _share(view: View, count: int) -> View:
    """Return the view as one of `count` that decide on its frame's estimate alike."""
    return view if count == 1 else View(view.name, view.frames, Filter((((), 1 / count),)))


@torch.inference_mode()
def decode(latent: Tensor, upscaler: Upscaler) -> Tensor:
    """Return a latent's picture, (3, 4h, 4h) in [-1, 1], float32.

    Args:
        latent: (C, h, h), as `upscale` drew it.
        upscaler: Its autoencoder decodes.
    """
    latents = (latent[None] / SCALING_FACTOR).to(upscaler.vae.dtype)
    picture: Tensor = upscaler.vae.decode(latents, return_dict=False)[0][0]
    return picture.float().clamp(-1, 1)
