"""The filters, and the arithmetic that says when parts make a whole."""

import math

import numpy as np
import pytest
import torch

from fundiff.filters import (
    GRAYSCALE,
    WHOLE,
    Filter,
    gaussian,
    gaussian_matrix,
    grayscale,
    high_pass,
    low_pass,
    motion,
    motion_blur,
)

FILTERS = {
    "whole": WHOLE,
    "low pass": gaussian(2),
    "high pass": WHOLE - gaussian(1),
    "band": gaussian(1) - gaussian(3),
    "grey": GRAYSCALE,
    "colour": WHOLE - GRAYSCALE,
    "motion": motion_blur(9),
    "at rest": WHOLE - motion_blur(5),
    "scaled": Filter((((), -0.5),)),
}
PAIRS = [(f, g) for f in FILTERS for g in FILTERS]


def random(size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.randn((3, size, size), generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize(("f", "g"), PAIRS, ids=str)
def test_one_filter_after_another_is_their_product(f, g):
    """(f then g)(x) = g(f(x))."""
    x, f, g = random(), FILTERS[f], FILTERS[g]
    torch.testing.assert_close(f.then(g)(x), g(f(x)), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("f", "g"), PAIRS, ids=str)
def test_filters_add_up_as_pictures_do(f, g):
    """(f + g)(x) = f(x) + g(x), and a difference likewise."""
    x, f, g = random(), FILTERS[f], FILTERS[g]
    torch.testing.assert_close((f + g)(x), f(x) + g(x), atol=1e-6, rtol=0)
    if f != g:  # their difference is no filter at all
        torch.testing.assert_close((f - g)(x), f(x) - g(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_linear(name):
    """Of a sum it gives the sum, of a multiple the multiple."""
    x, y, f = random(seed=1), random(seed=2), FILTERS[name]
    torch.testing.assert_close(f(2 * x - y), 2 * f(x) - f(y), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_and_its_rest_are_the_whole(name):
    """As arithmetic, to which only the whole itself and what adds up to it answer yes."""
    f = FILTERS[name]
    assert (f + (WHOLE - f)).is_whole
    assert f.is_whole == (name == "whole")
    assert not (f + WHOLE).is_whole


def test_the_whole_leaves_a_picture_as_it_is_to_the_bit():
    """No arithmetic is done that could round."""
    x = random()
    assert torch.equal(WHOLE(x), x)


def test_filters_of_other_parameters_do_not_cancel():
    """Nor do products of another order count as the same."""
    assert not (gaussian(2) + (WHOLE - gaussian(2.5))).is_whole
    assert gaussian(2) - gaussian(2) == Filter(())
    assert gaussian(2).then(GRAYSCALE) != gaussian(2)


@pytest.mark.parametrize("sigma", [0.5, 2, 5])
@pytest.mark.parametrize("size", [32, 64, 256])
def test_low_and_high_pass_add_up_to_the_whole(size, sigma):
    """The pair is a decomposition."""
    x = random(size).float()
    torch.testing.assert_close(low_pass(x, sigma) + high_pass(x, sigma), x)


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_the_blur_is_the_two_dimensional_gaussian_of_the_course(sigma):
    """Two matrix products equal a convolution with a 33 x 33 kernel, borders reflected."""
    x, offsets = random(64), torch.arange(-16, 17).double()
    line = (-0.5 * (offsets / sigma) ** 2).exp()
    kernel = torch.outer(line, line) / line.sum() ** 2
    padded = torch.nn.functional.pad(x[None], (16, 16, 16, 16), mode="reflect")
    wanted = torch.nn.functional.conv2d(padded, kernel.expand(3, 1, 33, 33), groups=3)[0]
    torch.testing.assert_close(low_pass(x, sigma), wanted, atol=1e-8, rtol=0)


def test_a_blur_keeps_a_flat_picture():
    """Rows of the matrix sum to one, also where the kernel is wider than the picture."""
    for size, sigma in ((8, 16.0), (64, 2.0)):
        assert gaussian_matrix(size, sigma).sum(1) == pytest.approx([1] * size)


@pytest.mark.parametrize("length", [1, 2, 4.5, 9, 16, 20.3])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_motion_is_a_convolution_with_a_diagonal_kernel(size, length):
    """A line of the length, each pixel weighed by how much of it the line covers."""
    x, half = random(size), length * size / 64 / 2
    reach = math.ceil(half)
    covered = [
        max(0.0, min(o + 0.5, half) - max(o - 0.5, -half)) for o in range(-reach, reach + 1)
    ]
    kernel = torch.tensor(covered, dtype=torch.float64).diag() / sum(covered)
    side = 2 * reach + 1
    padded = torch.nn.functional.pad(x[None], (reach,) * 4, mode="reflect")
    wanted = torch.nn.functional.conv2d(padded, kernel.expand(3, 1, side, side), groups=3)[0]
    torch.testing.assert_close(motion(x, length), wanted, atol=1e-6, rtol=0)


def test_motion_runs_down_to_the_right():
    """Away from the borders a falling line stays a line, a rising one is smeared."""
    falling = torch.eye(64).expand(3, 64, 64)
    torch.testing.assert_close(motion(falling, 9)[:, 5:-5, 5:-5], falling[:, 5:-5, 5:-5])
    assert float(motion(falling.flip(-1), 9)[:, 5:-5, 5:-5].max()) < 0.2


def test_motion_keeps_a_flat_picture_even_where_the_way_is_longer_than_the_picture():
    """Borders are reflected, weights sum to one."""
    flat = torch.full((3, 4, 4), 0.3)
    for length in (1, 9, 32):
        torch.testing.assert_close(motion(flat, length), flat)


def test_the_grey_picture_is_the_mean_of_the_channels_and_has_three():
    """Averaging once more changes nothing: a projection."""
    x = random()
    grey = grayscale(x)
    assert grey.shape == x.shape
    torch.testing.assert_close(grey[0], (x[0] + x[1] + x[2]) / 3)
    torch.testing.assert_close(grayscale(grey), grey)


@pytest.mark.parametrize("f", [gaussian(2), motion_blur(9)], ids=["gaussian", "motion"])
def test_a_blur_means_the_same_at_every_size(f):
    """Of a large smooth picture, made small, it is the blur of the small one, off the border."""
    at = (np.arange(256) + 0.5) / 256
    waves = np.stack(
        [np.outer(np.cos(np.pi * n * at), np.cos(np.pi * (5 - n) * at)) for n in (1, 2, 3)]
    )
    large = torch.from_numpy(waves)
    small = torch.nn.functional.avg_pool2d(large, 4)
    made_small = torch.nn.functional.avg_pool2d(f(large), 4)
    inner = (..., slice(12, -12), slice(12, -12))
    assert float((made_small - f(small))[inner].abs().max()) < 0.002
    assert float((small - f(small))[inner].abs().max()) > 0.02
