"""A candidate's picture is the same to the bit in any company."""

import random
from dataclasses import replace

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.canvas import Canvas
from fundiff.edit import edit
from fundiff.engine import Engine
from fundiff.guidance import Prompts
from fundiff.hybrid import hybrid
from fundiff.inpaint import inpaint
from fundiff.inverse import inverse
from fundiff.models import Stage, load_stage
from fundiff.noise import Noise, candidate_seed
from fundiff.sampling import reverse
from fundiff.schedule import leading
from fundiff.view_names import view
from tests.fundiff.exact import canvas as exact_canvas
from tests.fundiff.exact import one_image_unet, picture, prompts

LANES = 5


@pytest.fixture(scope="module")
def stage(tiny_if) -> Stage:
    return load_stage(str(tiny_if / "stage-1"), torch.device("cpu"), torch.float32)


def candidates(stage: Stage) -> dict:
    """Candidates of several kinds with different views, prompts, steps, samplers and guidance."""
    embeds = [torch.randn((77, 32), generator=torch.Generator().manual_seed(n)) for n in range(4)]

    def place(seed: int, steps: int, sampler: str = "ddpm") -> Canvas:
        noise = Noise(candidate_seed(0, "request", seed), 1)
        shape = (3, stage.size, stage.size)
        return Canvas(shape, leading(steps), stage.schedule, noise, sampler=sampler)

    def plain(canvas: Canvas, reduction: str = "mean"):
        return reverse(canvas, anagram(canvas, flipped, two, reduction))

    def turned(canvas: Canvas):
        return reverse(canvas, hybrid(canvas, bands, two))

    def filled(canvas: Canvas):
        estimate = anagram(canvas, [view("identity")], one)
        return inpaint(canvas, estimate, picture(1, stage.size), keep)

    def edited(canvas: Canvas):
        return edit(canvas, anagram(canvas, flipped, two), picture(2, stage.size), 4)

    two = Prompts((embeds[0], embeds[1]), embeds[3], 5)
    one = Prompts((embeds[2],), embeds[3], 1)
    keep = torch.zeros((1, stage.size, stage.size))
    keep[:, :3] = 1
    photo = picture(3, stage.size)
    flipped, bands = [view("identity"), view("flip")], [view("low_pass:8"), view("high_pass:8")]
    return {
        "anagram": lambda: plain(place(0, 6)),
        "hybrid": lambda: turned(place(1, 9)),
        "inpaint": lambda: filled(place(2, 4)),
        "alternate": lambda: plain(place(3, 7), "alternate"),
        "edit": lambda: edited(place(4, 6, "dpmsolver++")),
        "inverse": lambda: inverse(place(5, 5), [view("color")], one, photo, view("grayscale")),
    }


def run(stage: Stage, makers: dict, order: list[str], lanes: int = LANES) -> dict:
    engine: Engine[str] = Engine(stage, lanes)
    for key in order:
        engine.add(key, makers[key]())
    drawn = {}
    while not engine.idle:
        drawn |= {finished.key: finished for finished in engine.step()}
    return drawn


def test_a_picture_is_bit_identical_alone_and_in_any_company(stage):
    """Neighbours, slots, other kinds and timesteps beside it change no bit."""
    makers = candidates(stage)
    alone = {key: run(stage, makers, [key])[key].picture for key in makers}
    shuffled, order = random.Random(0), list(makers)
    for _ in range(4):
        shuffled.shuffle(order)
        together = run(stage, makers, order)
        for key in makers:
            assert torch.equal(together[key].picture, alone[key]), (key, order)
    assert not torch.equal(alone["anagram"], alone["alternate"])


def test_every_candidate_knows_what_it_cost(stage):
    """Lanes: steps x views x {unconditional, conditional}, shared lanes counted once."""
    makers = candidates(stage)
    lanes = {key: finished.lanes for key, finished in run(stage, makers, list(makers)).items()}
    assert lanes == {
        "anagram": 6 * 4,
        "hybrid": 9 * 3,
        "inpaint": 4 * 1,
        "alternate": 7 * 2,
        "edit": (6 - 4) * 4,
        "inverse": 5 * 1,
    }


def test_the_batch_has_one_shape_and_stays_full_while_there_is_work(stage):
    """Lanes are refilled as candidates end; only the drain is padded."""
    shapes = []

    def unet(samples, t, embeds, level):
        shapes.append(tuple(samples.shape))
        return one_image_unet(samples, t, embeds, level)

    engine: Engine[int] = Engine(unet, 8)
    x = picture(1)
    for key in range(12):
        place = exact_canvas(3 + key % 5)
        engine.add(key, reverse(place, anagram(place, [view("identity")], prompts(x))))
    done = 0
    while not engine.idle:
        padded, full = engine.padded_lanes, engine.fill()
        done += len(engine.step())
        assert (engine.padded_lanes == padded) == full
    assert done == 12
    assert set(shapes) == {(8, 3, 16, 16)}


def test_a_candidate_that_raises_leaves_the_others_alone(stage):
    """A failure becomes a finished candidate with its error."""
    makers = candidates(stage)

    def broken():
        place = exact_canvas(2)
        views = [view("identity")]
        yield from reverse(place, anagram(place, views, prompts(picture(1)), "median"))

    drawn = run(stage, {**makers, "broken": broken}, ["broken", "anagram"])
    assert "median" in str(drawn["broken"].error)
    assert torch.equal(
        drawn["anagram"].picture, run(stage, makers, ["anagram"])["anagram"].picture
    )


def test_a_hybrids_unconditional_lane_is_computed_once_and_nothing_changes(stage):
    """Three lanes instead of four, the same picture to 1e-5."""
    once = candidates(stage)["hybrid"]

    def twice():
        """The same algorithm, its shared lane asked for a second time."""
        calls = once()
        call = next(calls)
        while True:
            doubled = type(call)((*call.lanes, call.lanes[0]), call.t)
            outputs = yield doubled
            try:
                call = calls.send([outputs[-1], *outputs[1:-1]])
            except StopIteration as end:
                return end.value

    drawn = run(stage, {"once": once, "twice": twice}, ["once", "twice"])
    assert (drawn["once"].lanes, drawn["twice"].lanes) == (27, 36)
    torch.testing.assert_close(drawn["once"].picture, drawn["twice"].picture, atol=1e-5, rtol=0)


def test_a_candidates_noise_is_its_own():
    """It follows from run seed, request, candidate and stage, and from nothing else."""
    torch.manual_seed(1)
    seed = candidate_seed(0, "a", 3)
    first = Noise(seed, 1).draw((3, 8, 8))
    torch.rand(5)
    state = torch.get_rng_state()
    assert torch.equal(Noise(seed, 1).draw((3, 8, 8)), first)
    assert torch.equal(torch.get_rng_state(), state)
    others = {candidate_seed(1, "a", 3), candidate_seed(0, "b", 3), candidate_seed(0, "a", 4)}
    assert len(others | {seed}) == 4
    assert not torch.equal(Noise(seed, 2).draw((3, 8, 8)), first)
    assert 0 <= seed < 2**63


def test_a_candidate_that_shows_what_it_expects_waits_until_it_is_told_to_go_on(stage):
    """Its picture is the same to the bit, its lanes too; what is dropped never ends."""

    def drawn(canvas: Canvas):
        return reverse(canvas, anagram(canvas, [view("identity")], asked))

    def place(seed: int, glimpses: frozenset[int] = frozenset()) -> Canvas:
        noise = Noise(candidate_seed(0, "request", seed), 1)
        shape = (3, stage.size, stage.size)
        return Canvas(shape, leading(5), stage.schedule, noise, glimpses=glimpses)

    embeds = torch.randn((77, 32), generator=torch.Generator().manual_seed(0))
    asked = Prompts((embeds,), embeds, 1)
    plain: Engine[int] = Engine(stage, LANES)
    for seed in (0, 1):
        plain.add(seed, drawn(place(seed)))
    expected = {}
    while not plain.idle:
        expected |= {done.key: done for done in plain.step()}

    engine: Engine[int] = Engine(stage, LANES)
    for seed in (0, 1):
        engine.add(seed, drawn(place(seed, frozenset([1, 3]))))
    ended, steps = {}, []
    while not engine.idle:
        ended |= {done.key: done for done in engine.step()}
        for paused in engine.paused():
            steps.append((paused.key, paused.step, paused.lanes))
            assert engine.waits(paused.key)
            assert paused.picture.shape == (3, stage.size, stage.size)
            if paused.key == 0:
                engine.resume(0)
            else:
                engine.drop(1)
            assert not engine.waits(paused.key)
    assert sorted(steps) == [(0, 1, 2), (0, 3, 4), (1, 1, 2)]
    assert ended.keys() == {0}
    assert torch.equal(ended[0].picture, expected[0].picture)
    assert ended[0].lanes == expected[0].lanes == 5


def test_what_is_expected_of_an_inpainting_has_the_kept_pixels(stage):
    """And that of a data set of one image is that image, at any step."""
    unet_canvas = replace(exact_canvas(6), glimpses=frozenset(range(6)))
    target, original = picture(5), picture(6)
    keep = torch.zeros((1, *target.shape[1:]))
    keep[:, :3] = 1
    estimate = anagram(unet_canvas, [view("identity")], prompts(target))
    engine: Engine[int] = Engine(one_image_unet, 2)
    engine.add(0, inpaint(unet_canvas, estimate, original, keep))
    seen = 0
    while not engine.idle:
        engine.step()
        for paused in engine.paused():
            seen += 1
            assert torch.equal(paused.picture[:, :3], original[:, :3])
            assert torch.allclose(paused.picture[:, 3:], target[:, 3:], atol=1e-4)
            engine.resume(0)
    assert seen == 6
