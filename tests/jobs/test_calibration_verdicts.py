"""A judge may select only if its scores show that it can."""

import random

import pytest

from jobs.calibration.exhibits import AT_MOST, DRAWN, Exhibit
from jobs.calibration.ratings import Opinion
from jobs.calibration.verdicts import LEAST_AUC, PICKED, verdict_on
from jobs.statistics import auc


class Trial:
    """Exhibits of requests 0, 1, 2 ... and their scores."""

    def __init__(self):
        self.exhibits, self.scores, self.opinions = [], [], {}

    def add(self, request, sort, score, number=0, stage=1, is_last=False, votes=0, rating=None):
        source = f"{request}" if sort == DRAWN else f"{sort} of {request}"
        self.exhibits.append(Exhibit(f"{request}", sort, source, number, stage, is_last, b""))
        self.scores.append(score)
        if votes or rating:
            self.opinions[source, number] = Opinion(votes, rating)

    def verdict(self, false_accepts=0.05):
        return verdict_on(self.exhibits, self.scores, self.opinions, false_accepts)


def told_apart(requests, sorts=("one_prompt", "shuffled_views"), score=0.5):
    """A trial in which what was drawn scores 0.5 in stage I, and every control 0.1."""
    trial = Trial()
    for request in range(requests):
        trial.add(request, DRAWN, score)
        for sort in sorts:
            trial.add(request, sort, 0.1)
    return trial


def test_a_judge_that_tells_every_control_apart_may_select():
    """It is said that nobody has looked whether the illusions are any."""
    found = told_apart(10).verdict()
    assert found.may_select is True
    assert found.why == (
        "yes: AUC 1.00 (1.00 to 1.00) for drawn against one prompt at worst; "
        "what was drawn was not rated by people"
    )
    assert found.positives == DRAWN
    assert set(found.auc) == {"one_prompt", "shuffled_views", "together"}


def test_of_few_requests_nothing_can_be_told():
    """Ten are needed."""
    found = told_apart(9).verdict()
    assert found.may_select is None
    assert found.why == ("cannot tell: only 9 requests have controls, 10 of a kind are needed")
    alone = Trial()
    alone.add(0, DRAWN, 0.5, is_last=True)
    assert alone.verdict().why.startswith("cannot tell: only 0 requests")
    assert (alone.verdict().accept, alone.verdict().auc) == (None, {})


def test_the_sort_of_control_that_is_told_worst_decides():
    """Many easy ones do not make up for it, although all together look fine."""
    trial = told_apart(40, ["one_prompt"] * 9)
    for request in range(40):
        trial.add(request, "wrong_sigma", 0.9 if request % 2 else 0.1)
    found = trial.verdict()
    assert found.auc["wrong_sigma"].value == 0.5
    assert found.auc["together"].low > 0.9
    assert found.may_select is False
    assert found.why.startswith("no: AUC 0.50 (")
    assert found.why.endswith("for drawn against wrong sigma; 0.8 is needed")


def test_a_sort_of_few_requests_can_speak_against_a_judge_but_not_for_it():
    """Every sort that there is must be told: by its interval, and by ten requests."""
    for score, expected in ((0.9, False), (0.1, None)):
        trial = told_apart(20, ["one_prompt"])
        for request in range(9):
            trial.add(request, "wrong_sigma", score)
        found = trial.verdict()
        assert found.may_select is expected
        assert (
            found.why
            == {
                False: "no: AUC 0.00 (0.00 to 0.00) for drawn against wrong sigma, of only 9 "
                "requests; 0.8 is needed",
                None: "cannot tell: only 9 requests show drawn against wrong sigma, 10 are needed",
            }[expected]
        )
    trial.add(9, "wrong_sigma", 0.1)
    assert trial.verdict().may_select is True


def test_a_sort_that_meets_no_positive_leaves_it_open():
    """It is there, of a request that has nothing to compare it with."""
    trial = told_apart(10, ["one_prompt"])
    trial.add("another", "wrong_sigma", 0.1)
    assert trial.verdict().why == (
        "cannot tell: only 0 requests show drawn against wrong sigma, 10 are needed"
    )


@pytest.mark.parametrize(
    ("wrong", "said"), [(1, "0.90 (0.70 to 1.00)"), (3, "0.70 (0.40 to 1.00)")]
)
def test_an_interval_that_holds_the_bound_decides_nothing(wrong, said):
    """Of 10 requests 9 are right, or 7: the mean above the bound, or below it."""
    trial = told_apart(10 - wrong, ["one_prompt"])
    for request in range(10 - wrong, 10):
        trial.add(request, DRAWN, 0.1)
        trial.add(request, "one_prompt", 0.5)
    found = trial.verdict()
    assert found.may_select is None
    assert found.why == (
        f"cannot tell: AUC {said} for drawn against one prompt; its lower end must "
        "reach 0.8: try more requests"
    )


def test_a_dice_that_chose_the_finalists_itself_may_not_select():
    """After the last stage its own choice looks far better than controls; it is not asked there.

    Nor do people's ratings of what it chose help it, whether they like all of it or some.
    """
    dice = random.Random(0)
    for ratings, positives in (([0], DRAWN), ([1], DRAWN), ([0, 1], DRAWN), ([-1, 1], PICKED)):
        trial, chosen, controls = Trial(), [], []
        for request in range(40):
            first = [dice.random() for _ in range(16)]
            for number, score in enumerate(first):
                trial.add(request, DRAWN, score, number)
            for number in sorted(range(16), key=first.__getitem__)[-4:]:
                votes = dice.choice(ratings)
                again = first[number] + dice.gauss(0, 0.05)
                chosen.append(again)
                trial.add(request, DRAWN, again, number, 2, True, votes)
            for number in range(8):
                score = dice.random()
                trial.add(request, "one_prompt", score, number)
                again = score + dice.gauss(0, 0.05)
                controls.append(again)
                trial.add(request, "one_prompt", again, number, 2, True)
        assert auc(chosen, controls) > LEAST_AUC
        found = trial.verdict()
        assert found.positives == positives
        assert found.may_select is False


def rated(requests, liked=0.6, disliked=0.3):
    """A trial in which people rated two pictures of each request after the last stage."""
    trial = told_apart(requests, ["one_prompt"], score=0.0)  # by what was drawn it would fail
    for request in range(requests):
        trial.add(request, DRAWN, liked, 1, 2, True, votes=1, rating=5)
        trial.add(request, DRAWN, disliked, 2, 2, True, votes=-1, rating=1)
        trial.add(request, DRAWN, 0.0, 3, 2, True)
        trial.add(request, "one_prompt", 0.4, 0, 2, True)
    return trial


def test_what_people_liked_is_set_against_the_controls_and_against_what_they_did_not():
    """Pictures of the last stage: those are what they saw."""
    found = rated(10).verdict()
    assert found.may_select is True
    assert found.positives == PICKED
    assert found.auc["one_prompt"].value == 1
    assert (found.auc_of_picks.value, found.auc_of_picks.requests) == (1, 10)
    assert (found.spearman.value, found.spearman_overall) == (1, 1)
    assert found.why == "yes: AUC 1.00 (1.00 to 1.00) for picked against one prompt at worst"
    assert found.passes == 1


def test_a_judge_that_people_contradict_may_not_select():
    """It tells controls apart, and yet likes what they do not."""
    found = rated(10, liked=0.6, disliked=0.7).verdict()
    assert found.auc["one_prompt"].value == 1
    assert found.may_select is False
    assert found.why == (
        "no: AUC 0.00 (0.00 to 0.00) for what people liked against what they did not; "
        "0.7 is needed"
    )
    assert found.spearman.value == -1


def test_a_few_ratings_do_not_count_yet():
    """Below ten requests what was drawn is compared, as without any."""
    found = rated(9).verdict()
    assert found.positives == DRAWN
    assert found.auc["one_prompt"].value == 0
    assert found.auc_of_picks.requests == 9


@pytest.mark.parametrize("disliked", [0, 9])
def test_likes_alone_do_not_verify_a_judge(disliked):
    """A yes by what was drawn says that people were not heard, and of how many they could be."""
    trial = told_apart(20, ["one_prompt"])
    for request in range(20):
        trial.add(request, DRAWN, 0.6, 1, 2, True, votes=1, rating=5)
        trial.add(request, "one_prompt", 0.1, 0, 2, True)
        if request < disliked:
            trial.add(request, DRAWN, 0.3, 2, 2, True, votes=-1, rating=1)
    found = trial.verdict()
    assert (found.may_select, found.positives) == (True, DRAWN)
    assert found.why == (
        "yes: AUC 1.00 (1.00 to 1.00) for drawn against one prompt at worst; people were not "
        f"heard: only {disliked} requests have both what they liked and what they did not, "
        "10 are needed"
    )
    assert found.passes == 1


def test_candidates_beyond_the_first_count_only_as_rated():
    """They are there because a judge ranked them high."""
    trial = told_apart(10, ["one_prompt"], score=0.0)
    for request in range(10):
        trial.add(request, DRAWN, 0.9, AT_MOST, is_last=True, votes=1)
    assert trial.verdict().positives == DRAWN  # no control was drawn to the end
    assert trial.verdict().auc["one_prompt"].value == 0


def test_the_bar_is_that_of_the_sort_that_scores_highest():
    """Of 20 controls of each sort one may reach it, and of what was drawn 3 of 4 do."""
    trial = Trial()
    for number in range(20):
        trial.add(0, "one_prompt", 0.01 * number, number, 2, True)
        trial.add(0, "shuffled_views", 0.3 + 0.01 * number, number, 2, True)
        trial.add(0, "shuffled_views", 0.9, number)  # in stage I
    for number, score in enumerate((0.2, 0.485, 0.5, 0.6)):
        trial.add(0, DRAWN, score, number, 2, True)
    found = trial.verdict()
    assert 0.3 + 0.01 * 18 < found.accept < 0.3 + 0.01 * 18 + 1e-9
    assert (found.reached, found.controls, found.requests) == (1, 40, 1)
    assert found.passes == 0.75
    assert trial.verdict(0.5).accept == pytest.approx(0.39)
