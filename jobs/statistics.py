"""How well scores tell two groups of pictures apart, and how sure one can be of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.float64]

LEVEL = 0.95
"""Of all intervals."""

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over requests.

    Attributes:
        value: The mean.
        low: Lower end of its interval.
        high: Upper end of its interval.
        requests: That it is the mean of.
    """

    value: float
    low: float
    high: float
    requests: int


def auc(positives: Numbers, negatives: Numbers) -> float:
    """Return P(positive > negative) + P(equal) / 2 over all pairs: 1 tells apart, 0.5 guesses.

    The area under the ROC curve is the Mann-Whitney statistic: Hanley & McNeil, 1982,
    doi:10.1148/radiology.143.1.7063747.

    Args:
        positives: Scores, at least one.
        negatives: Scores, at least one.
    """
    below = np.sort(negatives)
    lower = np.searchsorted(below, positives, "left")
    not_higher = np.searchsorted(below, positives, "right")
    return float((lower + not_higher).mean() / (2 * len(below)))


def auc_within(groups: Sequence[tuple[Numbers, Numbers]]) -> Estimate | None:
    """Return the mean over requests of the AUC within each, or None if none has both groups.

    Prompts differ in how high they score at all, so scores are compared within a request only.

    Args:
        groups: Positives and negatives of each request.
    """
    return mean([auc(p, n) for p, n in groups if len(p) and len(n)])


def mean(values: Numbers, seed: int = 0) -> Estimate | None:
    """Return the mean of one value per request with its interval, or None if there are none.

    The interval is the bootstrap's percentiles, Efron & Tibshirani, 1993, chapter 13: requests
    are drawn with replacement, since the pictures of one request are not independent.
    """
    if not len(values):
        return None
    array = np.asarray(values, np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(array[chosen].mean(axis=1), [tail, 1 - tail])
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def ranks(values: Numbers) -> npt.NDArray[np.float64]:
    """Return the rank of each value, 1 for the lowest; equal ones share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which], np.float64)


def spearman(first: Numbers, second: Numbers) -> float | None:
    """Return the rank correlation of two columns, -1 to 1, or None if one does not vary."""
    if len(first) < 2:
        return None
    a, b = (each - each.mean() for each in (ranks(first), ranks(second)))
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return max(-1.0, min(1.0, float(a @ b) / norm)) if norm else None


def spearman_within(groups: Sequence[tuple[Numbers, Numbers]]) -> Estimate | None:
    """Return the mean over requests of the rank correlation within each, where there is one."""
    found = [spearman(a, b) for a, b in groups]
    return mean([rho for rho in found if rho is not None])


def bar(controls: Numbers, false_accepts: float) -> float:
    """Return the least score that at most this share of the controls reaches.

    Args:
        controls: Scores, at least one.
        false_accepts: Share, 0 to below 1.
    """
    allowed = math.floor(false_accepts * len(controls) + 1e-9)
    first_refused = np.sort(controls)[::-1][allowed]
    return float(np.nextafter(first_refused, np.inf))
