"""Image to image: a picture is noised half-way and drawn again from there.

Meng et al., 2022: SDEdit, arXiv:2108.01073, Algorithm 1.
"""

from torch import Tensor

from fundiff.calls import Calls
from fundiff.canvas import Canvas, Estimator
from fundiff.sampling import reverse
from fundiff.schedule import walk


def edit(canvas: Canvas, estimate: Estimator, original: Tensor, start: int) -> Calls[Tensor]:
    """Draw a variation of the original: photograph, drawing or anything else.

    Args:
        canvas: Where to draw.
        estimate: Of the whole picture, such as `fundiff.anagram.anagram`.
        original: (C, H, W) in [-1, 1].
        start: Index into the canvas's timesteps to start at: 0 keeps hardly anything of the
            original, the last index nearly all.
    """
    noised = canvas.schedule.add_noise(
        original, canvas.noise.draw(canvas.shape), canvas.timesteps[start]
    )
    path = walk(len(canvas.timesteps), start)
    return (yield from reverse(canvas, estimate, x_t=noised, path=path))
