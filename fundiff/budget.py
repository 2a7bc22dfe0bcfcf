"""What a candidate will cost, before anything is drawn. No torch here: a launcher asks this."""

from collections.abc import Sequence
from itertools import pairwise

from fundiff.views import View, by_frame


def count_lanes(
    views: Sequence[View],
    prompts: Sequence[str],
    negative_prompt: str,
    path: Sequence[int],
    timesteps: int,
    *,
    guidance_scale: float,
    guidance_start: float = 0.0,
    guidance_stop: float = 1.0,
    alternate: bool = False,
) -> int:
    """Return the UNet lanes that one candidate costs in one stage, each equal lane counted once.

    Args:
        views: One per prompt.
        prompts: As they are encoded.
        negative_prompt: What guidance points away from.
        path: Of the reverse process, from `fundiff.schedule.walk`.
        timesteps: How many there are.
        guidance_scale: 1 means off.
        guidance_start: Share of the timesteps after which guidance sets in.
        guidance_stop: Share of the timesteps after which guidance ends.
        alternate: Whether each step listens to one frame only.
    """
    frames = _frames(views)
    conditional = [{(n, prompts[number]) for number in group} for n, group in enumerate(frames)]
    lanes = 0
    for here, there in pairwise(path):
        if there < here:  # a jump back draws noise and asks nothing
            continue
        chosen = [here % len(frames)] if alternate else range(len(frames))
        asked = set().union(*(conditional[n] for n in chosen))
        guided = guidance_scale != 1 and guidance_start <= here / timesteps < guidance_stop
        if guided:
            asked |= {(n, negative_prompt) for n in chosen}
        lanes += len(asked)
    return lanes


def _frames(views: Sequence[View]) -> list[list[int]]:
    """Return the views by frame; one frame where components alone do not add up to the whole."""
    try:
        return by_frame(views)
    except ValueError:  # an inverse problem, whose other component is the photograph's
        return [list(range(len(views)))]
