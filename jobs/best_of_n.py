"""The funnel: many candidates through the cheap stage, the best of them through the dear one.

A policy is a generator, like the algorithms: it yields what to draw and receives the scores. All
its decisions follow from the request's own candidates, so they do not depend on shards, order or
restarts.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draw:
    """Candidates to bring through a stage and to score there."""

    stage: int
    candidates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a candidate ended: `accepted`, `rejected` or `failed`, and why."""

    candidate: int
    status: str
    reason: str


Scores = Mapping[int, float | None]
"""Candidate -> its score in the stage just drawn; None if it failed there."""

Policy = Generator[Draw, Scores, list[Verdict]]


def best_of_n(
    candidates: int, want: int, accept: float | None, max_candidates: int, stages: int = 2
) -> Policy:
    """Decide over one request: draw, keep the best, draw again while too few are accepted.

    A round brings `candidates` through stage I and as many of the best as are still wanted
    through stage II. There are rounds until `want` are accepted or `max_candidates` drawn. Without
    `accept` every picture that reaches the end is accepted, so one round is enough if it has
    `want` candidates.

    Args:
        candidates: Candidates per round.
        want: Accepted candidates to stop at.
        accept: Least final score of an accepted candidate, or None.
        max_candidates: Candidates in all rounds together.
        stages: 2, or 1 to decide by stage I's picture.

    Returns:
        One verdict per candidate that was started, in the order of the candidates.
    """
    verdicts: dict[int, Verdict] = {}
    drawn = accepted = 0
    while drawn < max_candidates and accepted < want:
        batch = tuple(range(drawn, min(drawn + candidates, max_candidates)))
        drawn += len(batch)

        scores = yield Draw(1, batch)
        chosen = []
        for rank, candidate in enumerate(_ranked(batch, scores), start=1):
            if scores[candidate] is None:
                verdicts[candidate] = Verdict(candidate, "failed", "failed in stage 1")
            elif rank <= want - accepted:
                chosen.append(candidate)
            else:
                reason = f"stage 1: rank {rank} of {len(batch)}, {want - accepted} go on"
                verdicts[candidate] = Verdict(candidate, "rejected", reason)
        if not chosen:
            continue

        if stages == 2:
            scores = yield Draw(2, tuple(sorted(chosen)))
        for candidate in chosen:
            verdicts[candidate] = _final(candidate, scores[candidate], accept, stages)
        accepted += sum(verdicts[candidate].status == "accepted" for candidate in chosen)
    return [verdicts[candidate] for candidate in sorted(verdicts)]


def _final(candidate: int, score: float | None, accept: float | None, stage: int) -> Verdict:
    """Return how a candidate ends that came through the last stage."""
    if score is None:
        return Verdict(candidate, "failed", f"failed in stage {stage}")
    if accept is not None and score < accept:
        reason = f"stage {stage}: score {score:.4f} is below {accept:g}"
        return Verdict(candidate, "rejected", reason)
    return Verdict(candidate, "accepted", "")


def _ranked(batch: tuple[int, ...], scores: Scores) -> list[int]:
    """Return the candidates from best to worst, the failed ones last, ties by number."""

    def key(candidate: int) -> tuple[bool, float, int]:
        score = scores[candidate]
        return (score is None, -(score or 0.0), candidate)

    return sorted(batch, key=key)
