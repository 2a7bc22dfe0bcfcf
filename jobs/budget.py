"""What a request will cost, known before anything is submitted: in UNet lanes and calls."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from fundiff import schedule
from fundiff.budget import count_lanes
from fundiff.view_names import view
from jobs.best_of_n import GLIMPSE, Marks, Rules, best_of_n, rules_of
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


def glimpses_of(request: Request) -> frozenset[int]:
    """Return the step of stage I, counted from 0, after whose estimate the worst are dropped."""
    if request.prune_at is None:
        return frozenset()
    return frozenset([math.ceil(request.prune_at * steps_of(request, 1)) - 1])


def lanes_of(request: Request, stage: int) -> int:
    """Return the UNet lanes that a candidate costs in a stage; `GLIMPSE` is until it is pruned."""
    path = path_of(request, max(stage, 1))
    if stage == GLIMPSE:
        path = _until(path, *glimpses_of(request))
    stage = max(stage, 1)
    return count_lanes(
        [view(name) for name in request.views],
        request.full_prompts,
        request.negative_prompt,
        path,
        request.count_timesteps(stage),
        guidance_scale=guidance_scale(request, stage),
        guidance_start=request.guidance_start,
        guidance_stop=request.guidance_stop,
        alternate=request.reduction == "alternate",
    )


def _until(path: tuple[int, ...], step: int) -> tuple[int, ...]:
    """Return a path up to the step of this number, counted from 0, jumps back aside."""
    forward = [n for n, (here, there) in enumerate(pairwise(path)) if there > here]
    return path[: forward[step] + 2]


def steps_of(request: Request, stage: int) -> int:
    """Return the steps of a request's reverse process in a stage, those walked again included."""
    return sum(there > here for here, there in pairwise(path_of(request, stage)))


def describe_budget(requests: Iterable[Request], bars: Mapping[str, float]) -> Iterator[str]:
    """Yield what requests cost, in words: all of them, and each sort of jumps among them.

    Args:
        requests: From the manifest.
        bars: As in `rules_of`.
    """
    first, most = Counter[int](), Counter[int]()
    jumps: dict[str, None] = {}
    for request in requests:
        rules = rules_of(request, bars)
        first += _lanes(request, _drawn(rules, rounds=1))
        most += _lanes(request, _drawn(rules, rounds=None))
        if request.jump_length:
            jumps[_describe_jumps(request)] = None
    yield f"UNet lanes of the first round: {_by_stage(first)}"
    if most != first:
        yield f"UNet lanes if every round is drawn: {_by_stage(most)}"
    yield from jumps


def _lanes(request: Request, drawn: Counter[int]) -> Counter[int]:
    """Return the lanes by stage of so many candidates brought through each."""
    pruned = max(0, drawn[GLIMPSE] - drawn[1])
    lanes = Counter({stage: drawn[stage] * lanes_of(request, stage) for stage in (1, 2)})
    if pruned:
        lanes[1] += pruned * lanes_of(request, GLIMPSE)
    return lanes


def _by_stage(lanes: Counter[int]) -> str:
    return ", ".join(f"stage {'I' * stage}: {lanes[stage]:,}" for stage in (1, 2))


@lru_cache(maxsize=1024)
def _drawn(rules: Rules, *, rounds: int | None) -> Counter[int]:
    """Return how many candidates a policy brings through each stage if none is good enough.

    The policy itself is asked. Its scores are below every bar; without a bar each picture is
    accepted.

    Args:
        rules: Of the policy.
        rounds: After how many of them to stop, or None for all.
    """
    policy = best_of_n(rules)
    begins = 1 if rules.prune_keep is None else GLIMPSE
    drawn, done = Counter[int](), 0
    draw = next(policy)
    while True:
        done += draw.stage == begins
        if rounds is not None and done > rounds:
            return drawn
        drawn[draw.stage] += len(draw.candidates)
        try:
            draw = policy.send(dict.fromkeys(draw.candidates, Marks((-math.inf,))))
        except StopIteration:
            return drawn


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
