"""What more candidates bring: the best of n, from N that were drawn.

All candidates of a request are drawn alike, so any n of its N are as good a sample of n as any
other. The mean over all choices of n is unbiased: a U-statistic (Hoeffding, 1948, Annals of
Mathematical Statistics 19), as is pass@k of Chen et al., 2021, arXiv:2107.03374, Eq. 1. It is a
weighted sum of the sorted scores, so nothing is simulated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


def weights(count: int, n: int) -> list[float]:
    """Return what each of `count` scores counts in the mean best of n of them, least first.

    The one at place i (from 1) is the best of C(i - 1, n - 1) of all C(count, n) choices.

    Args:
        count: Scores there are.
        n: Scores of a choice, 1 to `count`.

    Returns:
        Weights in the order of ascending scores; they add up to 1.
    """
    if not 1 <= n <= count:
        raise ValueError(f"n is {n}; choose 1 to {count}, the number of scores")
    found = [0.0] * count
    weight = n / count
    for place in range(count, n - 1, -1):
        found[place - 1] = weight
        weight *= (place - n) / (place - 1) if place > 1 else 0.0
    return found


def chance(count: int, good: int, n: int) -> float:
    """Return the chance that n of `count` hold at least one of the `good` ones.

    That is 1 - C(count - good, n) / C(count, n).

    Args:
        count: All there are.
        good: Those that count, at most `count`.
        n: How many are chosen, at most `count`.
    """
    none = 1.0
    for chosen in range(n):
        none *= max(count - good - chosen, 0) / (count - chosen)
    return 1.0 - none


@dataclass(frozen=True, slots=True)
class Success:
    """Requests alike in when they first had an accepted candidate.

    Attributes:
        start: Candidates of the rounds before, none of them accepted.
        size: Candidates of the round that had the first accepted one.
        accepted: How many of these were accepted; 0 if none ever was.
        requests: How many requests there are of this sort.
    """

    start: int
    size: int
    accepted: int
    requests: int


def accepted_share(successes: Iterable[Success], n: int) -> float:
    """Return the share of requests with an accepted one among their first n candidates.

    The candidates of a round are drawn alike, so their order within it is taken for arbitrary.

    Args:
        successes: Every request once; at least one.
        n: Candidates drawn.
    """
    total = reached = 0.0
    for each in successes:
        drawn = min(max(n - each.start, 0), each.size)
        total += each.requests
        reached += each.requests * chance(each.size, each.accepted, drawn)
    return reached / total


def ladder(most: int) -> list[int]:
    """Return the numbers of candidates to show: all up to 8, then in steps of about a fifth."""
    steps = [*range(1, min(most, 8) + 1)]
    while steps[-1] < most:
        steps.append(min(most, max(steps[-1] + 1, round(steps[-1] * 1.2))))
    return steps


def common_count(requests: Mapping[int, int]) -> int:
    """Return the largest number of scores that at least half of the requests have.

    Args:
        requests: Number of scores -> requests that have so many; at least one.
    """
    left = sum(requests.values())
    half = left / 2
    best = 0
    for count in sorted(requests):
        if left >= half:
            best = count
        left -= requests[count]
    return best


def mean_best(groups: Iterable[tuple[int, Sequence[float]]], n: int) -> float:
    """Return the mean best of n of a request's scores, over several requests.

    Args:
        groups: Of the requests that have equally many scores: how many requests, and the sums
            over them of the least score, of the second, ... of the best.
        n: At most as many as each request has scores.
    """
    requests, total = 0, 0.0
    for count, sums in groups:
        requests += count
        total += sum(w * s for w, s in zip(weights(len(sums), n), sums, strict=True))
    return total / requests
