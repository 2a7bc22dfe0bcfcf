"""What the funnel draws, keeps and says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.best_of_n import (
    GLIMPSE,
    Draw,
    Marks,
    Policy,
    Rules,
    Verdict,
    best_of_n,
    mean_ranks,
    ranked,
    rules_of,
)
from tests.manifests.rows import request


def play(policy: Policy, marks: dict[int, list]) -> tuple[list[Draw], list[Verdict]]:
    """Run a policy on candidates whose marks are known: half-way, after stage I, after stage II.

    A number stands for one judge's score, None for a failure.
    """
    draws = []
    draw = next(policy)
    while True:
        draws.append(draw)
        said = {c: marks[c][draw.stage] for c in draw.candidates}
        try:
            draw = policy.send(
                {c: Marks((m,)) if isinstance(m, float) else m for c, m in said.items()}
            )
        except StopIteration as end:
            return draws, end.value


def statuses(verdicts: list[Verdict]) -> list[str]:
    return [verdict.status for verdict in verdicts]


def test_the_best_of_the_cheap_stage_go_through_the_dear_one():
    """Four drawn, the two best upscaled, the others rejected with their rank."""
    marks = {0: [None, 0.1], 1: [None, 0.4, 0.3], 2: [None, 0.2], 3: [None, 0.3, 0.2]}
    draws, verdicts = play(best_of_n(Rules(4, 2, 4)), marks)
    assert draws == [Draw(1, (0, 1, 2, 3)), Draw(2, (1, 3))]
    assert statuses(verdicts) == ["rejected", "accepted", "rejected", "accepted"]
    assert verdicts[0].reason == "stage 1: rank 4 of 4, 2 go on"


def test_more_may_go_on_than_are_wanted():
    """Finalists are a number of their own; all that pass are accepted."""
    marks = {c: [None, 0.1 * c, 0.5 - 0.1 * c] for c in range(4)}
    draws, verdicts = play(best_of_n(Rules(4, 1, 4, finalists=3, accept=0.25)), marks)
    assert draws == [Draw(1, (0, 1, 2, 3)), Draw(2, (1, 2, 3))]
    assert statuses(verdicts) == ["rejected", "accepted", "accepted", "rejected"]


def test_the_worst_are_dropped_half_way_and_are_not_drawn_to_the_end():
    """Half of five is three; the others say where they stopped."""
    marks = {c: [score, 0.5, 0.5] for c, score in enumerate([0.1, 0.5, 0.2, 0.4, 0.3])}
    draws, verdicts = play(best_of_n(Rules(5, 1, 5, prune_keep=0.5)), marks)
    assert draws == [Draw(GLIMPSE, (0, 1, 2, 3, 4)), Draw(1, (1, 3, 4)), Draw(2, (1,))]
    assert verdicts[0].reason == "pruned within stage 1: rank 5 of 5, 3 go on"
    assert statuses(verdicts) == ["rejected", "accepted", "rejected", "rejected", "rejected"]


def test_too_few_accepted_means_another_round_for_those_still_wanted():
    """One is accepted in the first round, so only one more is upscaled in the second."""
    scores = {0: [0.5, 0.9], 1: [0.6, 0.1], 2: [0.7, 0.8], 3: [0.2, 0.0]}
    marks = {c: [None, *each] for c, each in scores.items()}
    draws, verdicts = play(best_of_n(Rules(2, 2, 6, accept=0.5)), marks)
    assert draws == [Draw(1, (0, 1)), Draw(2, (0, 1)), Draw(1, (2, 3)), Draw(2, (2,))]
    assert statuses(verdicts) == ["accepted", "rejected", "accepted", "rejected"]
    assert verdicts[1].reason == "stage 2: score 0.1000 is below 0.5"


def test_where_nothing_is_good_enough_the_best_are_kept_and_say_why():
    """The last round is cut to what is left; the best of the seven takes the one place."""
    marks = {c: [None, 0.5, 0.1 + c / 100] for c in range(7)}
    draws, verdicts = play(best_of_n(Rules(3, 1, 7, accept=0.9)), marks)
    assert [d.candidates for d in draws if d.stage == 1] == [(0, 1, 2), (3, 4, 5), (6,)]
    assert statuses(verdicts) == ["rejected"] * 6 + ["kept"]
    said = "stage 2: score 0.1600 is below 0.9; kept as one of the best of 7"
    assert verdicts[6].reason == said


def test_a_rank_among_the_requests_own_candidates_is_a_bar_too():
    """Three come to the end, the best two of them are accepted, whatever their scores."""
    marks = {c: [None, 0.5, -0.5 + c / 10] for c in range(3)}
    _, verdicts = play(best_of_n(Rules(3, 2, 3, finalists=3, accept_rank=2)), marks)
    assert statuses(verdicts) == ["rejected", "accepted", "accepted"]
    assert verdicts[0].reason == "stage 2: rank 3 of 3, 2 are accepted"


def test_a_veto_is_stronger_than_any_score_and_is_not_kept_either():
    """The best is two subjects side by side: the second is kept in its place."""
    marks = {0: [None, 0.9, Marks((0.8,), "veto, two halves")], 1: [None, 0.8, 0.3]}
    _, verdicts = play(best_of_n(Rules(2, 1, 2, finalists=2, accept=0.5)), marks)
    assert statuses(verdicts) == ["rejected", "kept"]
    assert verdicts[0].reason == "stage 2: veto, two halves"


def test_where_the_finalists_fail_the_best_of_the_others_are_kept():
    """One is vetoed, one fails in stage II: the third of stage I takes the one place."""
    marks = {0: [None, 0.9, Marks((0.8,), "veto")], 1: [None, 0.8, None], 2: [None, 0.7],
             3: [None, 0.6]}  # fmt: skip
    _, verdicts = play(best_of_n(Rules(4, 1, 4, finalists=2)), marks)
    assert statuses(verdicts) == ["rejected", "failed", "kept", "rejected"]
    assert verdicts[2].reason == "stage 1: rank 3 of 4, 2 go on; kept as one of the best of 4"


def test_a_failed_candidate_is_never_ranked_before_a_poor_one():
    """Also when scores are negative."""
    marks = {0: [None, None], 1: [None, -0.9, -0.8], 2: [None, -0.5, None]}
    _, verdicts = play(best_of_n(Rules(3, 2, 3)), marks)
    assert statuses(verdicts) == ["failed", "accepted", "failed"]
    assert [v.reason for v in verdicts] == ["failed in stage 1", "", "failed in stage 2"]


def test_several_judges_decide_by_their_mean_rank():
    """The first finds 0 best, two others find 1 best; a bar is the first one's."""
    marks = {0: Marks((0.9, 0.1, 0.1)), 1: Marks((0.8, 0.3, 0.2)), 2: Marks((0.1, 0.2, 0.0))}
    assert ranked(marks) == [1, 0, 2]
    both = {c: [None, m, m] for c, m in marks.items()}
    _, verdicts = play(best_of_n(Rules(3, 1, 3, finalists=2, accept=0.85)), both)
    assert statuses(verdicts) == ["accepted", "rejected", "rejected"]


def test_equal_scores_share_the_mean_of_their_ranks():
    """Ranks 2 and 3 are 2.5 for both; the sum of ranks is that of 1 to n."""
    assert mean_ranks({0: (0.5,), 1: (0.9,), 2: (0.5,)}) == {0: 2.5, 1: 1.0, 2: 2.5}
    assert mean_ranks({}) == {}


@given(
    st.dictionaries(
        st.integers(0, 99), st.tuples(*[st.sampled_from([-0.5, 0.0, 0.25, 0.5])] * 3), min_size=1
    )
)
def test_a_judges_rank_is_one_and_those_before_and_half_of_those_equal(scores):
    """Against the definition, for three judges."""
    for candidate, own in scores.items():
        others = [each for c, each in scores.items() if c != candidate]
        expected = [
            1 + sum(o[j] > own[j] for o in others) + sum(o[j] == own[j] for o in others) / 2
            for j in range(3)
        ]
        assert mean_ranks(scores)[candidate] == pytest.approx(sum(expected) / 3)


SCORE = st.none() | st.floats(-1, 1) | st.builds(Marks, st.tuples(st.floats(-1, 1)), st.just("no"))


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.none() | st.integers(1, 6),
    st.tuples(st.none() | st.floats(-1, 1), st.none() | st.integers(6, 9)),
    st.none() | st.floats(0.01, 1),
    st.integers(0, 12),
    st.sampled_from([1, 2]),
    st.lists(st.tuples(*[SCORE] * 3), min_size=18, max_size=18),
)
def test_every_candidate_that_is_started_ends_with_one_verdict(
    candidates, want, finalists, bars, prune_keep, extra, stages, scores
):
    """Rows are conserved, whatever the marks; none that failed or is vetoed is given out."""
    accept, accept_rank = bars if bars[1] is None else (None, bars[1])
    rules = Rules(
        candidates, want, candidates + extra, finalists, accept, accept_rank, prune_keep, stages
    )
    draws, verdicts = play(best_of_n(rules), dict(enumerate(scores)))
    begins = 1 if prune_keep is None else GLIMPSE
    started = [c for d in draws if d.stage == begins for c in d.candidates]
    assert started == list(range(len(started)))
    assert [v.candidate for v in verdicts] == started
    assert len(started) <= candidates + extra
    given_out = [v for v in verdicts if v.status in ("accepted", "kept")]
    ended = {c for d in draws if d.stage == stages for c in d.candidates}
    for verdict in given_out:
        last = scores[verdict.candidate][stages if verdict.candidate in ended else 1]
        assert isinstance(last, float)
        assert verdict.status == "kept" or accept is None or last >= accept
        assert verdict.status == "kept" or verdict.candidate in ended
    kept = [v for v in given_out if v.status == "kept"]
    assert not kept or len(given_out) <= want
    assert all(v.reason for v in verdicts if v.status != "accepted")


def test_a_policy_is_a_function_of_its_marks():
    """Two runs decide alike."""
    marks = {c: [None, ((c * 7) % 5) / 5, ((c * 3) % 4) / 4] for c in range(20)}
    rules = Rules(5, 3, 20, accept=0.6)
    assert play(best_of_n(rules), marks) == play(best_of_n(rules), marks)
    with pytest.raises(StopIteration):
        next(best_of_n(Rules(0, 1, 0)))


def test_a_bar_of_the_request_goes_before_the_calibrations():
    """Absolute or by rank; only a request without one takes that of its kind."""
    bars = {"anagram": 0.2}
    assert rules_of(request(), bars).accept == 0.2
    assert rules_of(request(accept=0.3), bars).accept == 0.3
    assert rules_of(request(accept_rank=4), bars).accept is None
    assert rules_of(request(), {"hybrid": 0.1}).accept is None
