"""What the funnel draws, keeps and says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.best_of_n import Draw, Policy, Verdict, best_of_n


def play(
    policy: Policy, scores: dict[int, list[float | None]]
) -> tuple[list[Draw], list[Verdict]]:
    """Run a policy on candidates whose stage scores are known."""
    draws = []
    draw = next(policy)
    while True:
        draws.append(draw)
        try:
            draw = policy.send({c: scores[c][draw.stage - 1] for c in draw.candidates})
        except StopIteration as end:
            return draws, end.value


def test_the_best_of_the_cheap_stage_go_through_the_dear_one():
    """Four drawn, the two best upscaled, the others rejected with their rank."""
    scores = {0: [0.1, None], 1: [0.4, 0.3], 2: [0.2, None], 3: [0.3, 0.2]}
    draws, verdicts = play(best_of_n(4, 2, None, 4), scores)
    assert draws == [Draw(1, (0, 1, 2, 3)), Draw(2, (1, 3))]
    assert [v.status for v in verdicts] == ["rejected", "accepted", "rejected", "accepted"]
    assert verdicts[0].reason == "stage 1: rank 4 of 4, 2 go on"


def test_too_few_accepted_means_another_round_for_those_still_wanted():
    """One is accepted in the first round, so only one more is upscaled in the second."""
    scores = {0: [0.5, 0.9], 1: [0.6, 0.1], 2: [0.7, 0.8], 3: [0.2, 0.0]}
    draws, verdicts = play(best_of_n(2, 2, 0.5, 6), scores)
    assert draws == [Draw(1, (0, 1)), Draw(2, (0, 1)), Draw(1, (2, 3)), Draw(2, (2,))]
    assert [v.status for v in verdicts] == ["accepted", "rejected", "accepted", "rejected"]
    assert verdicts[1].reason == "stage 2: score 0.1000 is below 0.5"


def test_drawing_ends_at_max_candidates():
    """Nothing is ever good enough: the last round is cut to what is left."""
    scores = {c: [0.5, 0.1] for c in range(7)}
    draws, verdicts = play(best_of_n(3, 1, 0.9, 7), scores)
    assert [d.candidates for d in draws if d.stage == 1] == [(0, 1, 2), (3, 4, 5), (6,)]
    assert {v.status for v in verdicts} == {"rejected"}


def test_a_failed_candidate_is_never_ranked_before_a_poor_one():
    """Also when scores are negative."""
    scores = {0: [None, None], 1: [-0.9, -0.8], 2: [-0.5, None]}
    _, verdicts = play(best_of_n(3, 2, None, 3), scores)
    assert [v.status for v in verdicts] == ["failed", "accepted", "failed"]
    assert [v.reason for v in verdicts] == ["failed in stage 1", "", "failed in stage 2"]


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.none() | st.floats(-1, 1),
    st.integers(0, 12),
    st.lists(st.tuples(*[st.none() | st.floats(-1, 1)] * 2), min_size=18, max_size=18),
)
def test_every_candidate_that_is_started_ends_with_one_verdict(
    candidates, want, accept, extra, scores
):
    """Rows are conserved, whatever the scores."""
    policy = best_of_n(candidates, want, accept, candidates + extra)
    draws, verdicts = play(policy, dict(enumerate(scores)))
    started = [c for d in draws if d.stage == 1 for c in d.candidates]
    assert started == list(range(len(started)))
    assert [v.candidate for v in verdicts] == started
    assert sum(v.status == "accepted" for v in verdicts) <= want
    assert len(started) <= candidates + extra


def test_a_policy_is_a_function_of_its_scores():
    """Two runs decide alike."""
    scores = {c: [((c * 7) % 5) / 5, ((c * 3) % 4) / 4] for c in range(20)}
    assert play(best_of_n(5, 3, 0.6, 20), scores) == play(best_of_n(5, 3, 0.6, 20), scores)
    with pytest.raises(StopIteration):
        next(best_of_n(0, 1, None, 0))
