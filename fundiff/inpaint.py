"""Inpainting: the hole is drawn, the rest is the original, re-noised to match at every step.

Lugmayr et al., 2022: RePaint, arXiv:2201.09865, Eq. 8 and Algorithm 1. The hole is drawn with any
estimate, so what fills it may be an anagram or a hybrid too.
"""

from torch import Tensor

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Constraint, Estimator
from fundiff.filters import low_pass
from fundiff.sampling import reverse
from fundiff.schedule import walk


def keep_known(original: Tensor, keep_mask: Tensor, canvas: Canvas) -> Constraint:
    """Return the constraint that puts the original's kept pixels back at the right noise level.

    After the step from t to t' the kept pixels are a draw of q(x_t' | original), at t' and not
    at t; after the last step they are the original itself, to the bit. A mask between 0 and 1
    keeps a pixel for that share of the steps, the noisy ones, and leaves it free afterwards: soft
    edges without the loss of noise that a blend has (Levin & Fried, 2023, arXiv:2306.00950,
    Algorithm 1).

    Args:
        original: (C, H, W) in [-1, 1].
        keep_mask: (1, H, W), 1 = keep the original pixel, 0 = draw it.
        canvas: Gives the schedule and the draws.
    """
    passed = {t: i / len(canvas.timesteps) for i, t in enumerate(canvas.timesteps)}

    def constrain(x: Tensor, t: int) -> Tensor:
        if t < 0:
            return original.where(keep_mask >= 1, x)
        noise = canvas.noise.draw(canvas.shape)
        known = canvas.schedule.add_noise(original, noise, t)
        return known.where((keep_mask >= 1) | (keep_mask > passed[t]), x)

    return constrain


def soft_edges(keep_mask: Tensor, sigma: float) -> Tensor:
    """Return a mask that falls from 1 to 0 within the hole; what was kept is still kept.

    Args:
        keep_mask: (1, H, W) of zeros and ones, 1 = keep.
        sigma: Of the Gaussian that it falls by, in pixels of a 64-px picture; 0 leaves it hard.
            However wide it is, the mask falls to 0 where the hole is deepest.
    """
    if sigma == 0 or not bool((keep_mask < 1).any()):
        return keep_mask
    depth = low_pass(1 - keep_mask, sigma)
    falling = (2 - 2 * depth / depth.max()).clamp(0, 0.999)
    return keep_mask.where(keep_mask >= 1, falling)


def inpaint(
    canvas: Canvas,
    estimate: Estimator,
    original: Tensor,
    keep_mask: Tensor,
    jump_length: int = 0,
    jump_n_sample: int = 1,
) -> Calls[Tensor]:
    """Draw what the mask leaves open of the original.

    Args:
        canvas: Where to draw.
        estimate: Of the whole picture, such as `fundiff.anagram.anagram`.
        original: (C, H, W) in [-1, 1].
        keep_mask: (1, H, W), 1 = keep the original pixel, 0 = draw it.
        jump_length: Steps of a stretch that is walked several times, so that hole and rest come
            to agree: RePaint's resampling, section 4.2.
        jump_n_sample: How often each stretch is walked; 1 is without jumps.
    """
    path = walk(len(canvas.timesteps), 0, jump_length, jump_n_sample)
    constrain = keep_known(original, keep_mask, canvas)
    return reverse(canvas, estimate, path=path, constrain=constrain)
