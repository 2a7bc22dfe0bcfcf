"""The timesteps, the paths along them, and the forward process."""

from itertools import pairwise

import pytest
import torch

from fundiff.schedule import leading, named, start_of, strided, timesteps, walk
from tests.fundiff.exact import SCHEDULE


def repaint(t_T: int, jump_length: int, jump_n_sample: int) -> list[int]:
    """RePaint's schedule as Lugmayr et al. describe it in appendix B, timesteps down to -1.

    Going down from T - 1, at every multiple of the jump length (but for the topmost) one goes
    back up by the jump length, jump_n_sample - 1 times, one forward step at a time.
    """
    to_do = dict.fromkeys(range(0, t_T - jump_length, jump_length), jump_n_sample - 1)
    t, times = t_T, []
    while t >= 1:
        t -= 1
        times.append(t)
        if to_do.get(t, 0) > 0:
            to_do[t] -= 1
            for _ in range(jump_length):
                t += 1
                times.append(t)
    return [*times, -1]


def stops(times: list[int]) -> list[int]:
    """Return times without those passed on the way up."""
    ways = [b - a for a, b in pairwise(times)]
    return [
        t
        for i, t in enumerate(times)
        if not (0 < i < len(ways) and ways[i - 1] > 0 and ways[i] > 0)
    ]


@pytest.mark.parametrize(
    ("count", "jump_length", "jump_n_sample", "calls"),
    [(30, 5, 2, 55), (30, 5, 3, 80), (50, 5, 2, 95), (100, 10, 2, 190), (30, 0, 1, 30)],
)
def test_a_walk_costs_as_many_calls_as_it_has_steps_down(count, jump_length, jump_n_sample, calls):
    """Jumps back cost none."""
    path = walk(count, 0, jump_length, jump_n_sample)
    assert sum(there > here for here, there in pairwise(path)) == calls


@pytest.mark.parametrize("count", [1, 2, 10, 30, 31, 100])
@pytest.mark.parametrize("jump_length", [1, 2, 5, 10])
@pytest.mark.parametrize("jump_n_sample", [1, 2, 3, 10])
def test_a_walk_is_the_schedule_of_repaint(count, jump_length, jump_n_sample):
    """Timestep for timestep; several forward steps in a row are one jump."""
    path = walk(count, 0, jump_length, jump_n_sample)
    wanted = stops(repaint(count, jump_length, jump_n_sample))
    assert [count - 1 - index for index in path] == wanted


@pytest.mark.parametrize("start", [0, 7, 20, 29])
def test_a_walk_from_within_never_jumps_above_its_start(start):
    """An edit's noise is never exceeded, and every later index is passed."""
    path = walk(30, start, 5, 3)
    assert path[0] == min(path) == start
    assert set(path) == set(range(start, 31))


def test_a_walk_steps_one_index_at_a_time_and_jumps_by_the_length():
    """Nothing else is in a path."""
    assert {there - here for here, there in pairwise(walk(40, 0, 7, 3))} == {1, -7}


def test_a_walk_without_jumps_passes_every_index_once():
    """From its start to the picture."""
    assert walk(5) == (0, 1, 2, 3, 4, 5)
    assert walk(5, 3) == (3, 4, 5)


def test_strided_timesteps_are_the_multiples_of_the_stride():
    """30 gives the course's 34 timesteps from 990 to 0."""
    assert strided(30) == tuple(range(990, -1, -30))
    assert len(strided(30)) == 34
    assert strided(999) == (999, 0)


@pytest.mark.parametrize("stride", [0, -1, 1000])
def test_an_impossible_stride_is_refused(stride):
    """With the strides that are possible."""
    with pytest.raises(ValueError, match=f"stride is {stride}; choose 1 to 999"):
        strided(stride)


def test_timesteps_are_named_as_in_a_manifest():
    """Even ones, those of a stride, or one of DeepFloyd's lists."""
    assert timesteps("", 30) == leading(30)
    assert timesteps("stride:30", 99) == strided(30)
    assert timesteps("smart50", 99) == named("smart50")


@pytest.mark.parametrize("name", ["smart51", "stride:", "stride:x", "stride:-5", "30"])
def test_unknown_timesteps_are_refused(name):
    """With the names that are known."""
    with pytest.raises(ValueError, match="choose from fast27"):
        timesteps(name, 30)


@pytest.mark.parametrize("count", [0, 1001])
def test_an_impossible_number_of_steps_is_refused(count):
    """With the numbers that are possible."""
    with pytest.raises(ValueError, match=f"num_inference_steps is {count}; choose 1 to 1000"):
        leading(count)


def test_the_strength_of_an_edit_is_the_share_of_timesteps_that_are_walked():
    """All of them, some, and never none."""
    assert [start_of(strength, 30) for strength in (1, 0.5, 0.1, 0.01, 0)] == [0, 15, 27, 29, 29]


@pytest.mark.parametrize(("t", "t_up"), [(0, 100), (300, 350), (10, 990), (500, 501)])
def test_noising_in_two_goes_is_noising_at_once(t, t_up):
    """The coefficients of q(x_t_up | x_t) q(x_t | x_0) are those of q(x_t_up | x_0)."""
    one, nothing = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    signal = SCHEDULE.renoise(SCHEDULE.add_noise(one, nothing, t), nothing, t, t_up)
    torch.testing.assert_close(signal, SCHEDULE.add_noise(one, nothing, t_up))
    first = SCHEDULE.renoise(SCHEDULE.add_noise(nothing, one, t), nothing, t, t_up)
    second = SCHEDULE.renoise(nothing, one, t, t_up)
    at_once = SCHEDULE.add_noise(nothing, one, t_up)
    torch.testing.assert_close(first**2 + second**2, at_once**2)


def test_noise_at_the_end_of_the_schedule_is_none():
    """Timestep -1 stands for the picture itself."""
    x, noise = torch.ones(3), torch.full((3,), 9.0)
    assert torch.equal(SCHEDULE.add_noise(x, noise, -1), x)
