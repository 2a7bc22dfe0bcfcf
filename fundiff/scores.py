"""The arithmetic on a judge's similarities, and what pixels alone can say of a picture."""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def alignment(similarities: Tensor) -> float:
    """Return min_i S_ii: how well the worst view fits its own prompt.

    Geng et al., 2024, arXiv:2311.17919, section 4.2.

    Args:
        similarities: (views, prompts), cosines: row i is view i, column j is prompt j.
    """
    return float(similarities.diagonal().min())


def concealment(similarities: Tensor, temperature: float) -> float:
    """Return how well each view hides the other prompts, 1 / N (cannot tell) to 1 (sure).

    tr softmax(S / temperature) / N, averaged over the two directions of the softmax, Geng et al.,
    2024, arXiv:2311.17919, section 4.2.

    Args:
        similarities: (views, prompts), as many views as prompts.
        temperature: The judge's own, 1 / exp(logit_scale).
    """
    logits = similarities / temperature
    by_prompt = logits.softmax(dim=1).diagonal().mean()
    by_view = logits.softmax(dim=0).diagonal().mean()
    return float((by_prompt + by_view) / 2)


RING = 3
"""Width in pixels of the rings whose gradients `seam_ratio` compares."""


def seam_ratio(picture: Tensor, keep_mask: Tensor) -> float:
    """Return the mean gradient at a hole's border by that of the rings beside it; 1 is no seam.

    The border is a ring of 3 px, two in the hole and one around it; beside it lie the next 3 px
    inwards and outwards.

    Args:
        picture: (3, H, W).
        keep_mask: (1, H, W), 1 = kept, 0 = drawn.
    """
    down = (picture[:, 1:] - picture[:, :-1]).abs().mean(0)
    right = (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean(0)
    gradient = torch.zeros(picture.shape[-2:])
    gradient[:-1] += down
    gradient[:, :-1] += right

    border = _ring(keep_mask, 2, 1)
    beside = _ring(keep_mask, 2 + RING, 1 + RING) * (1 - border)
    at, around = gradient[border[0] > 0], gradient[beside[0] > 0]
    if not len(at) or not len(around):
        return 1.0
    return float(at.mean() / around.mean().clamp(min=1e-6))


def _ring(keep_mask: Tensor, inwards: int, outwards: int) -> Tensor:
    """Return the pixels that lie so near to a hole's border on either side, (1, H, W)."""
    return _grown(keep_mask, inwards) * _grown(1 - keep_mask, outwards)


def _grown(mask: Tensor, reach: int) -> Tensor:
    """Return a mask of zeros and ones, (1, H, W), grown by some pixels on all sides."""
    return max_pool2d(mask[None], 2 * reach + 1, 1, reach)[0]


def kept_error(picture: Tensor, original: Tensor, keep_mask: Tensor | None = None) -> float:
    """Return the root mean square distance of two pictures, in 8-bit levels; 0 is to the bit.

    Args:
        picture: (3, H, W) in [-1, 1].
        original: Likewise.
        keep_mask: (1, H, W); only where it is 1 counts, or everywhere if None.
    """
    squares = (picture - original).square()
    if keep_mask is not None:
        squares = squares[:, keep_mask[0] >= 1]
    return float(squares.mean().sqrt() * 127.5) if squares.numel() else 0.0
