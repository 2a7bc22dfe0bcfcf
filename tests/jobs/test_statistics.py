"""The figures of a calibration are what their definitions say."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.statistics import (
    auc,
    auc_within,
    bar,
    mean,
    ranks,
    spearman,
    spearman_within,
)

SCORES = st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_auc_is_the_share_of_pairs_that_are_in_order(positives, negatives):
    """Ties count half; every pair is looked at, in fractions."""
    pairs = [
        Fraction(1) if p > n else Fraction(1, 2) if p == n else Fraction(0)
        for p, n in product(positives, negatives)
    ]
    assert auc(positives, negatives) == pytest.approx(float(sum(pairs) / len(pairs)), abs=1e-12)


@given(SCORES, SCORES)
def test_the_auc_of_the_groups_the_other_way_round_is_the_rest(positives, negatives):
    """And any rising function of the scores leaves it as it is."""
    assert auc(positives, negatives) == pytest.approx(1 - auc(negatives, positives))
    cubes = [[math.exp(3 * x) for x in group] for group in (positives, negatives)]
    assert auc(*cubes) == auc(positives, negatives)


def test_scores_are_compared_within_a_request_only():
    """A request whose controls outscore another's positives says nothing of the judge."""
    groups = [([0.9, 0.8], [0.7]), ([0.2], [0.1, 0.0])]
    assert auc_within(groups).value == 1
    assert auc([0.9, 0.8, 0.2], [0.7, 0.1, 0.0]) < 1
    assert auc_within([*groups, ([], [0.5]), ([0.5], [])]).requests == 2
    assert auc_within([([0.1], [])]) is None


def test_every_request_counts_alike():
    """However many pictures it has."""
    assert auc_within([([1.0], [0.0]), ([0.0] * 50, [1.0] * 50)]).value == 0.5


def test_the_interval_is_that_of_all_resamples_of_the_requests():
    """Of three requests there are 27, equally likely; the quantiles are theirs."""
    values = [0.0, 0.5, 1.0]
    resamples = sorted(sum(chosen) / 3 for chosen in product(values, repeat=3))
    found = mean(values)
    assert found.value == 0.5
    assert (found.low, found.high) == (resamples[0], resamples[-1])  # each 1 of 27, above 2.5 %
    wide = [0.0, 1.0] * 50
    found = mean(wide)
    share = 1.96 * 0.5 / math.sqrt(100)
    assert (found.low, found.high) == pytest.approx((0.5 - share, 0.5 + share), abs=0.015)


def test_the_interval_is_the_same_every_time_and_leaves_chance_alone():
    """It has a seed of its own."""
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global state is the point
    assert mean([0.1, 0.7, 0.9]) == mean([0.1, 0.7, 0.9])
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert mean([]) is None


@given(SCORES)
def test_a_rank_is_how_many_are_below_and_half_of_the_equal_ones(values):
    """Counted from 1."""
    expected = [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]
    assert ranks(values).tolist() == expected


@given(st.permutations(range(7)), st.permutations(range(7)))
def test_without_ties_spearmans_rho_is_the_textbook_formula(first, second):
    """1 - 6 sum(d^2) / (n (n^2 - 1))."""
    distance = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    assert spearman(first, second) == pytest.approx(1 - 6 * distance / (7 * 48), abs=1e-12)


def test_with_ties_spearmans_rho_is_the_correlation_of_the_ranks():
    """As pandas has it; with a constant column, or one row, there is none."""
    import pandas as pd

    scores, ratings = [0.1, 0.4, 0.4, 0.2, 0.9, 0.3], [1, 4, 3, 1, 5, 3]
    ranked = [pd.Series(each).rank() for each in (scores, ratings)]
    assert spearman(scores, ratings) == pytest.approx(ranked[0].corr(ranked[1]), abs=1e-12)
    assert spearman([1, 2], [3, 3]) is None
    assert spearman([1], [3]) is None


def test_ratings_are_correlated_within_requests():
    """Requests in which all are rated alike are left out."""
    groups = [([1, 2, 3], [1, 2, 3]), ([11, 12, 13], [3, 2, 1]), ([5, 6], [4, 4])]
    found = spearman_within(groups)
    assert (found.value, found.requests) == (0, 2)


@given(SCORES, st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5]))
def test_a_bar_lets_no_more_controls_through_than_it_may(controls, share):
    """And no lower one would do: at the score right below it too many pass."""
    found = bar(controls, share)
    allowed = Fraction(str(share)) * len(controls)
    assert sum(score >= found for score in controls) <= allowed
    below = np.nextafter(found, -np.inf)
    assert sum(score >= below for score in controls) > allowed
