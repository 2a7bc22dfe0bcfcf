"""The one reverse loop that every algorithm and both stages go through."""

from itertools import count, pairwise

from torch import Tensor

from fundiff.calls import Calls, Glimpse
from fundiff.canvas import Canvas, Constraint, Estimator
from fundiff.samplers import pred_original_sample, stepper
from fundiff.schedule import walk


def reverse(
    canvas: Canvas,
    estimate: Estimator,
    *,
    x_t: Tensor | None = None,
    path: tuple[int, ...] | None = None,
    constrain: Constraint | None = None,
) -> Calls[Tensor]:
    """Draw a picture, (C, H, W): the reverse process of Ho et al., 2020, arXiv:2006.11239.

    Args:
        canvas: Where to draw, with which noise and which steps.
        estimate: What makes the algorithm: how x_t is shown to the model and its words combined.
        x_t: What to start from, at the noise of the path's first timestep; noise if None.
        path: Indices into the timesteps, from `fundiff.schedule.walk`; all of them in order if
            None.
        constrain: What is known of the picture is put back with it after every step.
    """
    levels = (*canvas.timesteps, -1)
    path = walk(len(canvas.timesteps)) if path is None else path
    step = stepper(canvas)
    if x_t is None:
        x_t = canvas.noise.draw(canvas.shape)
    if constrain is not None:
        x_t = constrain(x_t, levels[path[0]])

    steps = count()
    for here, there in pairwise(path):
        t, t_next = levels[here], levels[there]
        if there < here:  # a jump back to more noise, from where the steps begin anew
            x_t = canvas.schedule.renoise(x_t, canvas.noise.draw(canvas.shape), t, t_next)
            step = stepper(canvas)
            continue
        combined = yield from estimate(x_t, here)
        if (number := next(steps)) in canvas.glimpses:
            x_0 = pred_original_sample(x_t, combined.noise_pred, t, canvas.schedule)
            yield Glimpse(x_0 if constrain is None else constrain(x_0, -1), number)
        x_t = step(x_t, combined, t, t_next)
        if constrain is not None:
            x_t = constrain(x_t, t_next)
    return x_t
