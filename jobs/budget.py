"""What a request will cost, known before anything is submitted: in UNet lanes and calls."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from fundiff import schedule
from fundiff.budget import count_lanes
from fundiff.view_names import view
from manifests.records import Request


def guidance_scale(request: Request, stage: int) -> float:
    """Return the guidance that a request asks for in a stage."""
    return request.guidance_scale if stage == 1 else request.stage_2_guidance_scale


def start_of(request: Request, stage: int) -> int:
    """Return the index into a stage's timesteps at which a request's reverse process starts.

    `start` counts stage I's timesteps; stage II starts at the same share of its own.
    """
    count = request.count_timesteps(stage)
    if request.strength is not None:
        return schedule.start_of(request.strength, count)
    if request.start is None:
        return 0
    return min(round(request.start / request.count_timesteps(1) * count), count - 1)


def path_of(request: Request, stage: int) -> tuple[int, ...]:
    """Return the path that a request's reverse process takes in a stage."""
    jumps = request.jump_length, request.jump_n_sample
    return schedule.walk(request.count_timesteps(stage), start_of(request, stage), *jumps)


def lanes_of(request: Request, stage: int) -> int:
    """Return the UNet lanes that a candidate of a request costs in a stage."""
    return count_lanes(
        [view(name) for name in request.views],
        request.full_prompts,
        request.negative_prompt,
        path_of(request, stage),
        request.count_timesteps(stage),
        guidance_scale=guidance_scale(request, stage),
        guidance_start=request.guidance_start,
        guidance_stop=request.guidance_stop,
        alternate=request.reduction == "alternate",
    )


def steps_of(request: Request, stage: int) -> int:
    """Return the steps of a request's reverse process in a stage, those walked again included."""
    return sum(there > here for here, there in pairwise(path_of(request, stage)))


def describe_budget(requests: Iterable[Request]) -> Iterator[str]:
    """Yield what requests cost, in words: all of them, and each sort of jumps among them."""
    first, most = {1: 0, 2: 0}, {1: 0, 2: 0}
    jumps: dict[str, None] = {}
    for request in requests:
        rounds = request.max_candidates if request.accept is not None else request.candidates
        for stage in range(1, request.stages + 1):
            lanes = lanes_of(request, stage)
            first[stage] += lanes * (request.candidates if stage == 1 else request.want)
            most[stage] += lanes * (rounds if stage == 1 else min(rounds, _stage_2_most(request)))
        if request.jump_length:
            jumps[_describe_jumps(request)] = None
    lines = [f"stage {'I' * stage}: {first[stage]:,}" for stage in (1, 2)]
    yield f"UNet lanes of the first round: {', '.join(lines)}"
    if most != first:
        lines = [f"stage {'I' * stage}: {most[stage]:,}" for stage in (1, 2)]
        yield f"UNet lanes if every round is drawn: {', '.join(lines)}"
    yield from jumps


def _stage_2_most(request: Request) -> int:
    """Return the most candidates that can reach stage II."""
    if request.accept is None:
        return request.want
    whole, rest = divmod(request.max_candidates, request.candidates)
    return whole * min(request.want, request.candidates) + min(request.want, rest)


def _describe_jumps(request: Request) -> str:
    stages = [
        f"{steps_of(request, stage)} UNet calls in stage {'I' * stage} "
        f"instead of {request.count_timesteps(stage)}"
        for stage in range(1, request.stages + 1)
    ]
    return (
        f"jumps {request.jump_length} x {request.jump_n_sample}: a candidate takes "
        f"{' and '.join(stages)}"
    )
