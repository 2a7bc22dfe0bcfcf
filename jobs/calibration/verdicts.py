"""From a judge's scores of pictures and controls to whether it may select, and above which bar."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.calibration.controls import SORTS
from jobs.calibration.exhibits import AT_MOST, DRAWN, Exhibit
from jobs.calibration.ratings import Key, Opinion
from jobs.statistics import (
    Estimate,
    auc_within,
    bar,
    spearman,
    spearman_within,
)

LEAST_REQUESTS = 10
"""Requests that a verdict needs."""

LEAST_AUC = 0.8
"""Against every sort of control, at the lower end of the interval."""

LEAST_AUC_OF_PICKS = 0.7
"""Of what people liked against what they did not, likewise."""

PICKED = "picked"
"""The sort of positives that people have verified."""


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """What is known of a judge for one kind of request.

    Attributes:
        may_select: Whether it may select on its own; None if that cannot be told.
        why: In plain words.
        positives: `picked` if people liked them and disliked enough others, `drawn` if they were
            only drawn as illusions.
        auc: Sort of control, or `together`, -> how well it tells the positives from these.
        auc_of_picks: How well it tells what people liked from what they did not.
        spearman: Rank correlation with people's ratings within requests.
        spearman_overall: Likewise over all requests at once.
        accept: Least score that at most a share of each sort of control reaches.
        false_accepts: That share.
        passes: Share of the positives that reach the bar.
        reached: Controls that reach the bar.
        controls: Pictures that the bar was set by.
        requests: That these are controls of; those of one request are alike.
    """

    may_select: bool | None
    why: str
    positives: str = DRAWN
    auc: dict[str, Estimate] = field(default_factory=dict)
    auc_of_picks: Estimate | None = None
    spearman: Estimate | None = None
    spearman_overall: float | None = None
    accept: float | None = None
    false_accepts: float = 0.05
    passes: float | None = None
    reached: int = 0
    controls: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """An exhibit, a judge's score of it, and what people said of it."""

    exhibit: Exhibit
    score: float
    opinion: Opinion | None = None

    @property
    def votes(self) -> int:
        """As of an opinion; 0 without one."""
        return self.opinion.votes if self.opinion else 0


Groups = Mapping[str, Sequence[float]]
"""Scores by request."""


def verdict_on(
    exhibits: Sequence[Exhibit],
    scores: Sequence[float],
    opinions: Mapping[Key, Opinion],
    false_accepts: float,
) -> KindVerdict:
    """Return the verdict on a judge from its scores of one kind's exhibits.

    Compared are, within each request, what people liked with the controls, both after the last
    stage; or, while they liked and disliked too little, all that was drawn with the controls, both
    after stage I: there no judge has chosen yet. After the last stage the candidates are the ones
    that a judge liked before, and any judge, a dice too, would tell them from controls; only what
    people disliked among them shows whether it sees what people see.

    Args:
        exhibits: Of requests of one kind.
        scores: Of these, in their order.
        opinions: What people said of candidates.
        false_accepts: Share of controls that may reach the bar.
    """
    rows = [
        Scored(each, score, opinions.get(each.key) if each.sort == DRAWN else None)
        for each, score in zip(exhibits, scores, strict=True)
    ]
    last = [row for row in rows if row.exhibit.is_last]
    liked = [row for row in last if row.votes > 0]
    disliked = [row for row in last if row.votes < 0]

    auc_of_picks = auc_within(_pairs(_by_request(liked), _by_request(disliked)))
    positives, auc = PICKED, _against_controls(liked, last)
    if not (_is_enough(auc_of_picks) and any(map(_is_enough, auc.values()))):
        first = [row for row in rows if row.exhibit.stage == 1]
        drawn = [
            row for row in first if row.exhibit.sort == DRAWN and row.exhibit.candidate < AT_MOST
        ]
        positives, auc = DRAWN, _against_controls(drawn, first)
    sorts = {row.exhibit.sort for row in rows} - {DRAWN}
    is_rated = any(row.opinion for row in rows)
    may_select, why = _verdict(auc, auc_of_picks, positives, sorts, is_rated)
    return KindVerdict(
        may_select,
        why,
        positives,
        auc,
        auc_of_picks,
        **_agreement(last),
        **_bar(last, liked if positives == PICKED else None, false_accepts),
    )


def _against_controls(positives: Sequence[Scored], rows: Sequence[Scored]) -> dict[str, Estimate]:
    """Return how well the positives are told from each sort of control, and from all together."""
    controls = [row for row in rows if row.exhibit.sort != DRAWN]
    groups = {sort: [row for row in controls if row.exhibit.sort == sort] for sort in SORTS}
    found = {
        sort: auc_within(_pairs(_by_request(positives), _by_request(negatives)))
        for sort, negatives in (groups | {"together": controls}).items()
    }
    return {sort: estimate for sort, estimate in found.items() if estimate}


def _by_request(rows: Sequence[Scored]) -> Groups:
    groups: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        groups[row.exhibit.request_id].append(row.score)
    return groups


def _pairs(first: Groups, second: Groups) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Return both groups' scores of every request that has both, in order of the requests."""
    return [(first[key], second[key]) for key in sorted(first.keys() & second.keys())]


def _agreement(rows: Sequence[Scored]) -> dict[str, Any]:
    """Return how the scores go with people's ratings."""
    rated = [(row, row.opinion.rating) for row in rows if row.opinion and row.opinion.rating]
    groups: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row, rating in rated:
        scores, ratings = groups[row.exhibit.request_id]
        scores.append(row.score)
        ratings.append(rating)
    return {
        "spearman": spearman_within([groups[key] for key in sorted(groups)]),
        "spearman_overall": spearman([row.score for row, _ in rated], [r for _, r in rated]),
    }


def _bar(
    rows: Sequence[Scored], liked: Sequence[Scored] | None, false_accepts: float
) -> dict[str, Any]:
    """Return the bar over the last stage's pictures, what it was set by, and what passes it.

    It is the highest of the sorts' own bars: the many controls that are easy to tell must not
    make up for the few that are not.
    """
    controls = [row for row in rows if row.exhibit.sort != DRAWN]
    by_sort: dict[str, list[float]] = defaultdict(list)
    for row in controls:
        by_sort[row.exhibit.sort].append(row.score)
    if not controls:
        return {"false_accepts": false_accepts}
    accept = max(bar(scores, false_accepts) for scores in by_sort.values())
    positives = [row for row in rows if row.exhibit.sort == DRAWN] if liked is None else liked
    return {
        "accept": accept,
        "false_accepts": false_accepts,
        "passes": _reaching(positives, accept) / len(positives) if positives else None,
        "reached": _reaching(controls, accept),
        "controls": len(controls),
        "requests": len({row.exhibit.request_id for row in controls}),
    }


def _reaching(rows: Sequence[Scored], accept: float) -> int:
    return sum(row.score >= accept for row in rows)


def _is_enough(estimate: Estimate | None) -> bool:
    return estimate is not None and estimate.requests >= LEAST_REQUESTS


def _verdict(
    auc: Mapping[str, Estimate],
    auc_of_picks: Estimate | None,
    positives: str,
    sorts: Collection[str],
    is_rated: bool,
) -> tuple[bool | None, str]:
    """Return whether a judge may select on its own, and why.

    A sort of control with too few requests can speak against a judge, but not for it.

    Args:
        auc: As of a verdict.
        auc_of_picks: Likewise.
        positives: Likewise.
        sorts: Of control, all that there are.
        is_rated: Whether people said anything at all.
    """
    requests = {sort: auc[sort].requests if sort in auc else 0 for sort in SORTS if sort in sorts}
    if max(requests.values(), default=0) < LEAST_REQUESTS:
        return None, (
            f"cannot tell: only {max(requests.values(), default=0)} requests have controls, "
            f"{LEAST_REQUESTS} of a kind are needed"
        )
    tests = [
        (_said(each, _against(positives, sort)), each, LEAST_AUC)
        for sort, each in auc.items()
        if sort in sorts and (_is_enough(each) or each.high < LEAST_AUC)
    ]
    if auc_of_picks and _is_enough(auc_of_picks):
        said = _said(auc_of_picks, "what people liked against what they did not")
        tests.append((said, auc_of_picks, LEAST_AUC_OF_PICKS))
    weakest = min(tests, key=lambda test: (test[1].high - test[2] >= 0, test[1].low - test[2]))
    said, estimate, least = weakest
    if estimate.high < least:
        return False, f"no: {said}; {least:g} is needed"
    fewest = min(requests, key=requests.__getitem__)
    if requests[fewest] < LEAST_REQUESTS:
        return None, (
            f"cannot tell: only {requests[fewest]} requests show {_against(positives, fewest)}, "
            f"{LEAST_REQUESTS} are needed"
        )
    if estimate.low < least:
        return None, f"cannot tell: {said}; its lower end must reach {least:g}: try more requests"
    return True, f"yes: {said} at worst{_unheard(auc_of_picks, is_rated)}"


def _unheard(auc_of_picks: Estimate | None, is_rated: bool) -> str:
    """Return what a yes leaves open, if it was given without people."""
    if _is_enough(auc_of_picks):
        return ""
    if not is_rated:
        return "; what was drawn was not rated by people"
    both = auc_of_picks.requests if auc_of_picks else 0
    return (
        f"; people were not heard: only {both} requests have both what they liked and what they "
        f"did not, {LEAST_REQUESTS} are needed"
    )


def _against(positives: str, sort: str) -> str:
    return f"{positives} against {sort.replace('_', ' ')}"


def _said(estimate: Estimate, what: str) -> str:
    few = "" if _is_enough(estimate) else f", of only {estimate.requests} requests"
    return f"AUC {estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f}) for {what}{few}"
