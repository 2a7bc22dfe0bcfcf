"""What every view promises."""

import subprocess
import sys

import pytest
import torch

from fundiff.filters import gaussian_matrix, high_pass, low_pass
from fundiff.views import PLAIN, names, view

ORTHOGONAL = sorted(PLAIN)
ALL = names()


def random(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn((6, size, size), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize("name", ORTHOGONAL)
def test_the_inverse_undoes_the_view(name, size):
    """What is shown and brought back is what there was, to the bit."""
    x, v = random(size), view(name)
    assert torch.equal(v.invert_noise(v.show(x)), x)


@pytest.mark.parametrize("name", ORTHOGONAL)
def test_an_orthogonal_view_keeps_inner_products(name):
    """Noise that is white stays white under an isometry."""
    x, y, v = random(64, 1).double(), random(64, 2).double(), view(name)
    assert v.is_orthogonal
    assert float((v.show(x) * v.show(y)).sum()) == pytest.approx(float((x * y).sum()))


@pytest.mark.parametrize("name", ALL)
def test_a_view_is_pure(name):
    """Nothing is changed in place, and twice gives the same."""
    x, v = random(64), view(name)
    before = x.clone()
    for use in (v.show, v.invert, v.read, v.invert_noise):
        assert torch.equal(use(x), use(x))
        assert torch.equal(x, before)


@pytest.mark.parametrize("name", ORTHOGONAL)
def test_the_64_px_and_the_256_px_map_agree(name):
    """A block of 4 x 4 pixels goes where its pixel of the small picture goes."""
    v = view(name)
    at = torch.arange(64.0)
    small = torch.stack([at[:, None].expand(64, 64), at[None].expand(64, 64)]) + 1
    large = small.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert torch.equal(v.show(large)[:, ::4, ::4], v.show(small))
    blocks = v.show(large).unfold(1, 4, 4).unfold(2, 4, 4)
    assert torch.equal(blocks.amax((-1, -2)), blocks.amin((-1, -2)))


@pytest.mark.parametrize("name", ["low_pass:2", "high_pass:2"])
def test_the_64_px_and_the_256_px_filter_agree(name):
    """Filtering the enlarged picture is enlarging the filtered one."""
    component = view(name).component
    small = low_pass(random(64)[:3], 1)
    large = torch.nn.functional.interpolate(small[None], (256, 256), mode="bilinear")[0]
    wanted = torch.nn.functional.interpolate(component(small)[None], (256, 256), mode="bilinear")[
        0
    ]
    assert float((component(large) - wanted).abs().mean()) < 0.02 * float(small.std())


def test_rotate_90_turns_counter_clockwise_and_flip_swaps_top_and_bottom():
    """The names mean what the documentation says."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert view("rotate_90").show(x).tolist() == [[2, 4], [1, 3]]
    assert view("rotate_270").show(x).tolist() == [[3, 1], [4, 2]]
    assert view("rotate_180").show(x).tolist() == [[4, 3], [2, 1]]
    assert view("flip").show(x).tolist() == [[3, 4], [1, 2]]
    assert view("mirror").show(x).tolist() == [[2, 1], [4, 3]]
    assert view("negate").show(x).tolist() == [[-1, -2], [-3, -4]]


def test_negation_turns_the_noise_but_not_the_variance():
    """A variance has no sign."""
    x, v = random(8), view("negate")
    assert torch.equal(v.invert_noise(x), -x)
    assert torch.equal(v.invert(x), x)


@pytest.mark.parametrize("sigma", [0.5, 2, 5])
@pytest.mark.parametrize("size", [32, 64, 256])
def test_low_and_high_pass_add_up_to_the_whole(size, sigma):
    """The pair is a decomposition."""
    x = random(size)
    torch.testing.assert_close(low_pass(x, sigma) + high_pass(x, sigma), x)


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_the_blur_is_the_two_dimensional_gaussian_of_the_course(sigma):
    """Two matrix products equal a convolution with a 33 x 33 kernel, borders reflected."""
    x, offsets = random(64).double(), torch.arange(-16, 17).double()
    line = (-0.5 * (offsets / sigma) ** 2).exp()
    kernel = torch.outer(line, line) / line.sum() ** 2
    padded = torch.nn.functional.pad(x[None], (16, 16, 16, 16), mode="reflect")
    wanted = torch.nn.functional.conv2d(padded, kernel.expand(6, 1, 33, 33), groups=6)[0]
    torch.testing.assert_close(low_pass(x, sigma), wanted, atol=1e-8, rtol=0)


def test_a_blur_keeps_a_flat_picture():
    """Rows of the matrix sum to one, also where the kernel is wider than the picture."""
    for size, sigma in ((8, 16.0), (64, 2.0)):
        assert gaussian_matrix(size, sigma).sum(1) == pytest.approx([1] * size)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flp", "unknown; choose from identity, flip"),
        ("flip:2", "takes none"),
        ("low_pass", "needs a sigma"),
        ("low_pass:x", "needs a sigma"),
        ("low_pass:nan", "needs a sigma"),
        ("low_pass:2.0", "written as in low_pass:2"),
        ("low_pass:1_0", "written as in low_pass:2"),
        ("high_pass:-1", "needs a sigma"),
        ("low_pass:1e9", "needs a sigma"),
        ("", "unknown"),
    ],
)
def test_a_wrong_view_is_refused_with_what_is_allowed(name, words):
    """The message says what was got and what to write."""
    with pytest.raises(ValueError, match=words):
        view(name)


def test_views_can_be_checked_without_torch():
    """A launcher that only checks names must start at once."""
    code = "import sys, fundiff.views as v; v.view('low_pass:2'); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
