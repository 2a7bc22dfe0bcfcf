"""How a judge's checkpoint asks for its pictures: resized, cropped and normalised, in float32.

Only the numbers are the checkpoint's; the arithmetic is here, so that a score depends neither on
the version of transformers nor on what else is installed beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

RESAMPLES = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}

PROCESSORS = ("CLIPImageProcessor", "SiglipImageProcessor")
"""Image processors of transformers that do no more than is done here."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Turns a picture into what a network was trained to see.

    Attributes:
        resized: Side in pixels that a picture is resized to.
        cropped: Side of its central square, which is what the network sees.
        resample: `bilinear` or `bicubic`, both antialiased.
        mean: What is subtracted from values in [0, 1], per channel.
        std: What they are divided by thereafter.
    """

    resized: int
    cropped: int
    resample: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, picture: Tensor) -> Tensor:
        """Return the pixel values of a picture, (3, cropped, cropped), float32 on its device.

        Args:
            picture: (3, H, H); what lies outside [-1, 1] is clipped first, as on a screen.

        Raises:
            ValueError: If it has another shape.
        """
        if picture.ndim != 3 or picture.shape[0] != 3 or picture.shape[1] != picture.shape[2]:
            raise ValueError(f"a picture has shape {tuple(picture.shape)}; a judge sees (3, H, H)")
        values = (picture.float() / 2 + 0.5).clamp(0, 1)
        if values.shape[-1] != self.resized:
            values = _resized(values, self.resized, self.resample)
        first = (self.resized - self.cropped) // 2
        kept = slice(first, first + self.cropped)
        mean, std = (values.new_tensor(each)[:, None, None] for each in (self.mean, self.std))
        return (values[:, kept, kept] - mean) / std


def _resized(values: Tensor, side: int, resample: str) -> Tensor:
    """Return (3, H, H) values in [0, 1] as (3, side, side).

    First the rows, then the columns, clipped after each: so does Pillow, with which the pictures
    were resized that the judges were trained on. Only its rounding to 8 bits is left out.
    """
    for size in ((values.shape[-2], side), (side, side)):
        values = interpolate(values[None], size, mode=resample, antialias=True)[0].clamp(0, 1)
    return values


def preprocessing(processor: Any) -> Preprocessing:
    """Return what an image processor of transformers says is to be done.

    Raises:
        ValueError: If it asks for anything else than this file does, with what.
    """
    if odd := list(_oddities(processor)):
        raise ValueError(
            f"its pictures need {' and '.join(odd)}, where fundiff resizes to one square, "
            f"crops and normalises, as {' and '.join(PROCESSORS)} do"
        )
    resized = _side(processor.size)
    cropped = _side(processor.crop_size) if processor.do_center_crop else resized
    assert resized is not None
    assert cropped is not None
    return Preprocessing(
        resized,
        cropped,
        RESAMPLES[processor.resample],
        _channels(processor.image_mean),
        _channels(processor.image_std),
    )


def _oddities(processor: Any) -> Iterator[str]:
    """Yield everything that an image processor asks for and that is not done here."""
    name = type(processor).__name__.removesuffix("Pil")
    if name not in PROCESSORS:
        yield f"the {name}"
        return
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if not getattr(processor, step):
            yield f"{step} = false"
    if processor.do_pad:
        yield "do_pad = true"
    if processor.resample not in RESAMPLES:
        yield f"resample = {processor.resample}"
    if abs(processor.rescale_factor * 255 - 1) > 1e-3:
        yield f"rescale_factor = {processor.rescale_factor:g}"
    resized = _side(processor.size)
    if resized is None:
        yield f"size = {_asked(processor.size)}"
    if processor.do_center_crop:
        cropped = _side(processor.crop_size)
        if cropped is None or (resized is not None and cropped > resized):
            yield f"crop_size = {_asked(processor.crop_size)}"


def _asked(size: Any) -> dict[str, int]:
    return {name: side for name, side in dict(size or {}).items() if side is not None}


def _side(size: Any) -> int | None:
    """Return the side of the square that a square picture becomes, None if it becomes none."""
    asked = _asked(size)
    if set(asked) not in ({"height", "width"}, {"shortest_edge"}):
        return None
    return asked.popitem()[1] if len(set(asked.values())) == 1 else None


def _channels(numbers: Any) -> tuple[float, float, float]:
    """Return a number per channel, where one may stand for all."""
    red, green, blue = torch.as_tensor(numbers, dtype=torch.float64).expand(3).tolist()
    return red, green, blue
