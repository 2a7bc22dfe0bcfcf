"""The funnel: many candidates through the cheap stage, the best of them through the dear one.

A policy is a generator, like the algorithms: it yields what to draw and receives the marks. All
its decisions follow from the request's own candidates, so they do not depend on shards, order or
restarts.
"""

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from jobs.statistics import ranks
from manifests.records import Request

GLIMPSE = 0
"""The stage of a picture that stage I expects half-way."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides over a request's candidates; the names are those of a manifest's columns.

    Attributes:
        candidates: Candidates per round.
        want: Accepted candidates to stop at.
        max_candidates: Candidates in all rounds together.
        finalists: Best of a round that go on to stage II; as many as still wanted if None.
        accept: Least final score of an accepted candidate, or None.
        accept_rank: Accepted are the best so many of all rounds, or None.
        prune_keep: Share of a round that is not dropped half-way through stage I, or None.
        stages: 2, or 1 to decide by stage I's picture.
    """

    candidates: int
    want: int
    max_candidates: int
    finalists: int | None = None
    accept: float | None = None
    accept_rank: int | None = None
    prune_keep: float | None = None
    stages: int = 2


def rules_of(request: Request, bars: Mapping[str, float]) -> Rules:
    """Return the rules of a request.

    Args:
        request: From the manifest.
        bars: Kind -> least score, from a calibration, for requests that name no bar.
    """
    accept = request.accept
    if accept is None and request.accept_rank is None:
        accept = bars.get(request.kind)
    return Rules(
        request.candidates,
        request.want,
        request.max_candidates,
        request.finalists,
        accept,
        request.accept_rank,
        request.prune_keep,
        request.stages,
    )


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said of one candidate's picture.

    Attributes:
        scores: One per judge that selects; the first is what `accept` is measured against.
        veto: Why it may not be accepted, whatever its scores; empty if it may.
    """

    scores: tuple[float, ...]
    veto: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """Candidates to bring through a stage and to judge there; `GLIMPSE` is half-way through I."""

    stage: int
    candidates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a candidate ended: `accepted`, `kept`, `rejected` or `failed`, and why."""

    candidate: int
    status: str
    reason: str


Judged = Mapping[int, Marks | None]
"""Candidate -> what is said of it in the stage just drawn; None if it failed there."""

Policy = Generator[Draw, Judged, list[Verdict]]


def best_of_n(rules: Rules) -> Policy:
    """Decide over one request: draw, keep the best, draw again while too few are accepted.

    A round brings `candidates` through stage I, without the worst of them if half-way there is
    pruning, and the best of them through stage II. There are rounds until `want` are accepted or
    `max_candidates` drawn; if too few were, the best of the others are kept in their place, those
    that came to the end first.
    Without a bar every picture that reaches the end is accepted.

    Returns:
        One verdict per candidate that was started, in the order of the candidates.
    """
    verdicts: dict[int, Verdict] = {}
    first: dict[int, Marks] = {}
    final: dict[int, Marks] = {}
    accepted: list[int] = []
    drawn = 0
    while drawn < rules.max_candidates and len(accepted) < rules.want:
        chosen = tuple(range(drawn, min(drawn + rules.candidates, rules.max_candidates)))
        drawn += len(chosen)

        if rules.prune_keep is not None:
            judged = yield Draw(GLIMPSE, chosen)
            places = math.ceil(rules.prune_keep * len(chosen))
            chosen = _best(chosen, judged, places, "pruned within stage 1", verdicts)
            if not chosen:
                continue
        judged = yield Draw(1, chosen)
        first |= {c: marks for c in chosen if (marks := judged[c]) is not None}
        places = rules.finalists or rules.want - len(accepted)
        chosen = _best(chosen, judged, places, "stage 1", verdicts)
        if not chosen:
            continue
        if rules.stages == 2:
            judged = yield Draw(2, chosen)
        for candidate in chosen:
            if (marks := judged[candidate]) is None:
                verdicts[candidate] = Verdict(candidate, "failed", "failed in stage 2")
            else:
                final[candidate] = marks
        accepted = _accepted(final, rules)

    verdicts |= _final_verdicts(final, accepted, rules)
    missing = max(0, rules.want - len(accepted))
    for candidate in _others(first, final, verdicts)[:missing]:
        reason = f"{verdicts[candidate].reason}; kept as one of the best of {drawn}"
        verdicts[candidate] = Verdict(candidate, "kept", reason)
    return [verdicts[candidate] for candidate in sorted(verdicts)]


def _others(
    first: Mapping[int, Marks], final: Mapping[int, Marks], verdicts: Mapping[int, Verdict]
) -> list[int]:
    """Return the candidates that may take an empty place: the best that came to the end first."""
    early = {c: marks for c, marks in first.items() if c not in final}
    return [
        c
        for marked in (final, early)
        for c in ranked(marked)
        if verdicts[c].status == "rejected" and not marked[c].veto
    ]


def _best(
    batch: tuple[int, ...],
    judged: Judged,
    places: int,
    where: str,
    verdicts: dict[int, Verdict],
) -> tuple[int, ...]:
    """Return the candidates that go on, and note the verdicts on those that do not."""
    marked = {c: marks for c in batch if (marks := judged[c]) is not None}
    for candidate in set(batch) - set(marked):
        verdicts[candidate] = Verdict(candidate, "failed", f"failed in {where}")
    ranking = ranked(marked)
    for rank, candidate in enumerate(ranking, start=1):
        if rank > places:
            reason = f"{where}: rank {rank} of {len(batch)}, {places} go on"
            verdicts[candidate] = Verdict(candidate, "rejected", reason)
    return tuple(sorted(ranking[:places]))


def _accepted(final: Mapping[int, Marks], rules: Rules) -> list[int]:
    """Return the candidates that pass, best first."""
    ranking = ranked(final)
    if rules.accept_rank is not None:
        ranking = ranking[: rules.accept_rank]
    return [c for c in ranking if not final[c].veto and _passes(final[c], rules.accept)]


def _passes(marks: Marks, accept: float | None) -> bool:
    return accept is None or marks.scores[0] >= accept


def _final_verdicts(
    final: Mapping[int, Marks], accepted: list[int], rules: Rules
) -> dict[int, Verdict]:
    """Return how those ended that came to the end."""
    stage = f"stage {rules.stages}"
    verdicts = {c: Verdict(c, "accepted", "") for c in accepted}
    for rank, candidate in enumerate(ranked(final), start=1):
        if candidate in accepted:
            continue
        marks = final[candidate]
        if marks.veto:
            reason = f"{stage}: {marks.veto}"
        elif not _passes(marks, rules.accept):
            reason = f"{stage}: score {marks.scores[0]:.4f} is below {rules.accept:g}"
        else:
            reason = f"{stage}: rank {rank} of {len(final)}, {rules.accept_rank} are accepted"
        verdicts[candidate] = Verdict(candidate, "rejected", reason)
    return verdicts


def ranked(marked: Mapping[int, Marks]) -> list[int]:
    """Return the candidates from best to worst: mean rank, then the first judge, then number."""
    ranks = mean_ranks({candidate: marks.scores for candidate, marks in marked.items()})
    return sorted(marked, key=lambda c: (ranks[c], -marked[c].scores[0], c))


def mean_ranks(scores: Mapping[int, tuple[float, ...]]) -> dict[int, float]:
    """Return each candidate's rank, 1 for the best, averaged over the judges.

    Candidates that a judge finds equally good share the mean of their ranks.
    """
    totals = dict.fromkeys(scores, 0.0)
    columns = list(zip(*scores.values(), strict=True))
    for column in columns:
        falling = ranks([-score for score in column]).tolist()
        for candidate, rank in zip(scores, falling, strict=True):
            totals[candidate] += rank / len(columns)
    return totals
