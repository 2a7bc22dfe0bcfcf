"""Pictures as tensors in [-1, 1] and as 8-bit Pillow images."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_image(x: Tensor) -> Image.Image:
    """Return x, (3, H, W) in [-1, 1] and clipped to it, as an 8-bit RGB image.

    Raises:
        ValueError: If x is not finite: such a picture must not pass for a black one.
    """
    if not bool(x.isfinite().all()):
        raise ValueError("the picture holds NaN or infinity")
    levels = ((x.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())


def to_tensor(image: Image.Image) -> Tensor:
    """Return an RGB image as (3, H, W) in [-1, 1]; `to_image` gives the same image back."""
    levels = torch.from_numpy(np.array(image.convert("RGB")))
    return levels.permute(2, 0, 1).float() / 255 * 2 - 1


def square(image: Image.Image, size: int) -> Image.Image:
    """Return the central square of an image, resized to (size, size)."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BOX, box=box)


def keep_mask(mask: Image.Image, size: int) -> Tensor:
    """Return where to keep the original, (1, size, size), from an image where white = repaint.

    A pixel is kept only if no part of it is to be repainted.
    """
    repaint = np.array(mask.convert("L")) >= 128
    covered = square(Image.fromarray(repaint.astype(np.float32)), size)
    return torch.from_numpy(np.array(covered) <= 1e-6).float()[None]
