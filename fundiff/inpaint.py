"""Inpainting: the hole is drawn, the rest is the original, re-noised to match at every step.

Lugmayr et al., 2022: RePaint, arXiv:2201.09865, Eq. 8 and Algorithm 1 (without jumps).
"""

from torch import Tensor

from fundiff.calls import Calls
from fundiff.guidance import Prompts, plain
from fundiff.sampling import Canvas, Constraint, ancestral


def keep_known(original: Tensor, keep_mask: Tensor, canvas: Canvas) -> Constraint:
    """Return the constraint that puts the original's kept pixels back at the right noise level.

    After the step from t to t' the kept pixels are a draw of q(x_t' | original), at t' and not
    at t; after the last step they are the original itself, to the bit.

    Args:
        original: (C, H, W) in [-1, 1].
        keep_mask: (1, H, W), 1 = keep the original pixel, 0 = draw it.
        canvas: Gives the schedule and the draws.
    """
    keep = keep_mask.bool()

    def constrain(x: Tensor, t: int) -> Tensor:
        if t < 0:
            return original.where(keep, x)
        noise = canvas.noise.draw(canvas.shape)
        return canvas.schedule.add_noise(original, noise, t).where(keep, x)

    return constrain


def inpaint(
    canvas: Canvas, prompts: Prompts, original: Tensor, keep_mask: Tensor
) -> Calls[Tensor]:
    """Draw what the mask leaves open of the original, guided by one prompt.

    Args:
        canvas: Where to draw.
        prompts: One prompt.
        original: (C, H, W) in [-1, 1].
        keep_mask: (1, H, W), 1 = keep the original pixel, 0 = draw it.
    """
    constrain = keep_known(original, keep_mask, canvas)
    return (yield from ancestral(canvas, plain(canvas, prompts), constrain))
