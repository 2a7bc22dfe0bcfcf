"""What a request costs is known before it is drawn."""

import pytest

from jobs.best_of_n import GLIMPSE
from jobs.budget import describe_budget, lanes_of, steps_of
from jobs.worker import work
from manifests.manifest import read_manifest
from manifests.results import markers, read_rows
from tests.jobs.conftest import SHORT, every_kind
from tests.manifests.rows import inpainting, request

FEW = {**SHORT, "candidates": 2, "want": 2, "max_candidates": 2}


def varied():
    """Requests whose lanes are counted in every way there is."""
    four = ("low_pass:8", "high_pass:8", "flip+low_pass:8", "flip+high_pass:8")
    return [
        *every_kind(**FEW),
        request(**FEW, reduction="alternate"),
        request(**FEW, reduction="rectified", guidance_start=0.3, guidance_stop=0.8),
        request(**FEW, guidance_scale=1.0, negative_prompt="x"),
        request(**FEW, prompts=("a", "b", "a", "b"), views=four),
        request(**FEW, prompts=("same", "same"), negative_prompt="same"),
        request(
            **FEW,
            kind="hybrid",
            prompts=("same", "same"),
            views=("low_pass:8", "high_pass:8"),
            reduction="sum",
        ),
        request(**FEW, timesteps="stride:300", sampler="dpmsolver++", seed=1),
        inpainting(**FEW, jump_length=2, jump_n_sample=3),
        *pruned(),
    ]


def pruned():
    """Requests of which one candidate of two is dropped on the way."""
    one = FEW | {"want": 1, "finalists": 1, "prune_keep": 0.5}
    return [
        request(**one, prune_at=0.5, seed=2),
        request(**one, prune_at=0.7, guidance_start=0.3, seed=3),
        inpainting(**one, prune_at=0.3, jump_length=2, jump_n_sample=3),
    ]


def test_the_predicted_lanes_are_those_that_were_drawn(plan):
    """For every kind, reduction, interval, jump and shared lane, in both stages."""
    folder = plan("run", varied(), per_shard=100)
    assert work(str(folder.path), 0)
    asked = {r.request_id: r for r in read_manifest(folder.manifest)}
    files = [folder.shard(0) / file.name for m in markers(folder) for file in m.files]
    rows = list(read_rows(files))
    assert len(rows) == 2 * len(asked)
    for row in rows:
        each = asked[row.request_id]
        if row.stage == 0:
            assert row.stage_1_lanes == lanes_of(each, GLIMPSE) < lanes_of(each, 1), each
            continue
        assert row.status == "accepted", row.error_message
        assert row.stage_1_lanes == lanes_of(each, 1), each
        assert row.stage_2_lanes == (lanes_of(each, 2) if each.stages == 2 else 0), each


@pytest.mark.parametrize(
    ("steps", "length", "times", "calls"), [(30, 5, 2, 55), (30, 5, 3, 80), (100, 10, 2, 190)]
)
def test_the_calls_of_jumps_are_stated(steps, length, times, calls):
    """As RePaint's schedule counts them, before anything is submitted."""
    asked = inpainting(num_inference_steps=steps, jump_length=length, jump_n_sample=times)
    assert steps_of(asked, 1) == calls
    (_, said) = describe_budget([asked], {})
    assert f"jumps {length} x {times}: a candidate takes {calls} UNet calls in stage I " in said
    assert f"instead of {steps} and 55 UNet calls" in said or length != 5 or times != 2


def test_the_stated_lanes_are_those_of_a_request_that_wants_more_than_a_round_gives(plan):
    """Without a bar, rounds follow until enough are accepted."""
    asked = request(**SHORT, candidates=2, want=5, max_candidates=10)
    folder = plan("want", [asked])
    assert work(str(folder.path), 0)
    files = [folder.shard(0) / file.name for m in markers(folder) for file in m.files]
    drawn = list(read_rows(files))
    first, second = (sum(getattr(row, f"stage_{n}_lanes") for row in drawn) for n in (1, 2))
    assert len(drawn) == 6
    assert list(describe_budget([asked], {})) == [
        "UNet lanes of the first round: stage I: 32, stage II: 24",
        f"UNet lanes if every round is drawn: stage I: {first}, stage II: {second}",
    ]


def test_what_is_pruned_is_counted_as_far_as_it_is_drawn(plan):
    """The stated lanes of stage I are those that were drawn, of both candidates together."""
    asked = pruned()
    folder = plan("pruned", asked, per_shard=100)
    assert work(str(folder.path), 0)
    files = [folder.shard(0) / file.name for m in markers(folder) for file in m.files]
    drawn = list(read_rows(files))
    assert sorted(row.stage for row in drawn) == [0, 0, 0, 2, 2, 2]
    first, second = (sum(getattr(row, f"stage_{n}_lanes") for row in drawn) for n in (1, 2))
    said = next(describe_budget(asked, {}))
    assert said == f"UNet lanes of the first round: stage I: {first}, stage II: {second}"


def test_rounds_that_may_follow_are_counted_apart():
    """Without a bar there is one round; with it up to the most candidates."""
    one = request(candidates=4, want=2, max_candidates=12)
    assert list(describe_budget([one], {})) == [
        "UNet lanes of the first round: stage I: 480, stage II: 240"
    ]
    many = request(candidates=4, want=2, max_candidates=12, accept=0.3)
    assert list(describe_budget([many], {})) == [
        "UNet lanes of the first round: stage I: 480, stage II: 240",
        "UNet lanes if every round is drawn: stage I: 1,440, stage II: 720",
    ]
