"""What every view promises."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from fundiff.filters import low_pass
from fundiff.view_names import COMPONENTS, FRAMES, complement, names, view
from fundiff.views import DECOMPOSITIONS, by_frame

LARGE_GRID = [f"{name}:grid=64" for name in FRAMES if name in ("inner_circle", "square_hinge")]
LARGE_GRID += ["skew:-0.7:grid=64", "jigsaw:seed=8:grid=64", "pixel_permute:64:seed=7"]
COMPOSED = [
    "flip+negate",
    "negate+flip",
    "rotate_90+mirror",
    "rotate_90+jigsaw:seed=7",
    "jigsaw:seed=7+rotate_90",
    "jigsaw:seed=7+inner_circle+negate",
    "negate+skew:1.5+square_hinge+rotate_270",
    "patch_permute:8:seed=1+patch_permute:4:seed=2",
    "inner_circle:grid=64+flip",
]
SMALL_GRID = [sort.example for sort in FRAMES.values()] + [
    name for name in COMPOSED if "grid" not in name
]
ISOMETRIES = SMALL_GRID + LARGE_GRID + [name for name in COMPOSED if "grid" in name]
PARTS = [sort.example for sort in COMPONENTS.values()]
BANDS = "low_pass:8|band:4:8|band:2:4|band:1:2|high_pass:1"


def random(size: int, seed: int = 0, channels: int = 6) -> torch.Tensor:
    return torch.randn((channels, size, size), generator=torch.Generator().manual_seed(seed))


def views_of(written: str) -> list:
    return [view(name) for name in written.split("|")]


def source(name: str, size: int) -> torch.Tensor:
    """Return, (2, size, size), row and column that each shown pixel comes from, from 1 on."""
    at = torch.arange(1, size + 1)
    grid = torch.stack([at[:, None].expand(size, size), at[None].expand(size, size)])
    return view(name).show(grid).abs()  # a negative shows the same pixels


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("name", ISOMETRIES)
def test_the_inverse_undoes_the_view(name, size):
    """What is shown and brought back is what there was, to the bit."""
    x, v = random(size), view(name)
    assert torch.equal(v.invert_noise(v.show(x)), x)
    assert torch.equal(v.show(v.invert_noise(x)), x)


@pytest.mark.parametrize("name", SMALL_GRID)
def test_the_inverse_undoes_the_view_of_a_picture_of_32_px(name):
    """Every cascade has views; the smallest pictures have the coarse grid alone."""
    x, v = random(32), view(name)
    if v.cells <= 32:
        assert torch.equal(v.invert_noise(v.show(x)), x)
    else:
        with pytest.raises(ValueError, match="32 px does not divide into 64 cells"):
            v.show(x)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("name", ISOMETRIES)
def test_an_isometry_shows_every_pixel_once(name, size):
    """A permutation, but for the sign."""
    rows, columns = source(name, size)
    shown = ((rows - 1) * size + columns - 1).flatten()
    assert torch.equal(shown.sort().values, torch.arange(size**2))


@pytest.mark.parametrize("name", ISOMETRIES)
def test_an_orthogonal_view_keeps_inner_products(name):
    """Noise that is white stays white under an isometry."""
    x, y, v = random(64, 1).double(), random(64, 2).double(), view(name)
    assert v.is_orthogonal
    assert float((v.show(x) * v.show(y)).sum()) == pytest.approx(float((x * y).sum()))


@pytest.mark.parametrize("name", names() + COMPOSED + ["flip+low_pass:2", "jigsaw:seed=7+color"])
def test_a_view_is_pure(name):
    """Nothing is changed in place, twice gives the same, and pictures stay finite pictures."""
    x, v = random(64, channels=3), view(name)
    before = x.clone()
    for use in (v.show, v.invert, v.read, v.invert_noise):
        assert torch.equal(use(x), use(x))
        assert torch.equal(x, before)
        assert use(x).shape == x.shape
        assert bool(use(x).isfinite().all())


@pytest.mark.parametrize("name", ISOMETRIES)
def test_a_frame_turns_the_low_res_channels_as_it_turns_the_others(name):
    """A stack of six channels is two pictures, each shown the same way."""
    x, v = random(64), view(name)
    assert torch.equal(v.show(x), torch.cat([v.show(x[:3]), v.show(x[3:])]))


REGISTERED = [(name, 64, 256) for name in ISOMETRIES]
REGISTERED += [(name, 32, 128) for name in SMALL_GRID if view(name).cells <= 32]
REGISTERED += [(name, 64, 1024) for name in ("jigsaw:seed=7", "square_hinge", "skew:1.5")]


@pytest.mark.parametrize(("name", "small", "large"), REGISTERED)
def test_a_large_picture_is_cut_where_the_small_one_is(name, small, large):
    """No pixel comes from further than half a small pixel from where the small map has it."""
    scale = large // small
    fine = (source(name, large) - 0.5) / scale
    coarse = (source(name, small) - 0.5).repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    assert float((fine - coarse).abs().max()) <= 0.5


@pytest.mark.parametrize(("name", "small", "large"), REGISTERED)
def test_a_block_of_the_large_picture_goes_where_its_pixel_of_the_small_one_goes(
    name, small, large
):
    """Enlarging pixels and showing may change places."""
    v, x, scale = view(name), random(small, channels=1), large // small
    enlarged = x.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    wanted = v.show(x).repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    assert torch.equal(v.show(enlarged), wanted)


@pytest.mark.parametrize("name", ["low_pass:2", "high_pass:2", "band:1:2"])
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


@pytest.mark.parametrize("name", ["negate", "flip+negate", "negate+jigsaw:seed=7"])
def test_negation_turns_the_noise_but_not_the_variance(name):
    """A variance has no sign."""
    x, v = random(64), view(name)
    assert torch.equal(v.invert_noise(x), -v.invert(x))
    assert torch.equal(v.invert(v.show(x)), -x)


def test_two_negatives_make_a_positive():
    """Signs multiply."""
    x, v = random(8), view("negate+flip+negate")
    assert torch.equal(v.show(x), x.flip(-2))
    assert torch.equal(v.invert_noise(x), x.flip(-2))


@pytest.mark.parametrize("name", COMPOSED)
def test_a_composition_shows_what_its_parts_show_one_after_the_other(name):
    """`a+b` is a, and of what that shows b; it is brought back the other way round."""
    x = random(64)
    shown, back = x, x
    for part in name.split("+"):
        shown = view(part).show(shown)
    for part in reversed(name.split("+")):
        back = view(part).invert_noise(back)
    assert torch.equal(view(name).show(x), shown)
    assert torch.equal(view(name).invert_noise(x), back)


def test_a_component_in_a_frame_is_taken_of_the_shown_picture():
    """It is filtered first and then brought back; the reading is shown first, then filtered."""
    x = random(64, channels=3)
    flip, low = view("flip"), view("motion:9")
    v = view("flip+motion:9")
    assert torch.equal(v.show(x), flip.show(x))
    torch.testing.assert_close(v.invert_noise(x), flip.invert(low.component(x)))
    torch.testing.assert_close(v.read(x), low.component(flip.show(x)))
    assert not torch.allclose(v.invert_noise(x), low.component(x), atol=0.1)


def test_components_of_components_are_products():
    """The grey picture, blurred, is read as both."""
    x, v = random(64, channels=3), view("grayscale+low_pass:2")
    wanted = low_pass(x.mean(0, keepdim=True).expand(3, -1, -1), 2)
    torch.testing.assert_close(v.invert_noise(x), wanted)
    torch.testing.assert_close(v.read(x), wanted)


@pytest.mark.parametrize(
    ("name", "seen_as"),
    [
        ("high_pass:2", "identity"),
        ("color", "identity"),
        ("motion_res:9", "identity"),
        ("triple_high", "identity"),
        ("scale:0.5", "identity"),
        ("low_pass:2", "low_pass:2"),
        ("triple_low", "low_pass:2"),
        ("triple_medium", "low_pass:1"),
        ("band:3:5", "low_pass:3"),
        ("grayscale", "grayscale"),
        ("motion:9", "motion:9"),
        ("flip+high_pass:2", "flip"),
    ],
)
def test_a_person_reads_a_part_as_the_eye_can_see_it(name, seen_as):
    """From afar, in dim light or in motion; nobody sees details alone."""
    x = random(64, channels=3)
    seen = view(seen_as)
    torch.testing.assert_close(view(name).read(x), seen.component(seen.show(x)))


@pytest.mark.parametrize("name", PARTS)
def test_a_component_shows_the_model_the_very_same_tensor(name):
    """So that prompts of one frame share their unconditional lane."""
    x = random(8)
    assert view(name).show(x) is x
    assert view(name).is_orthogonal == view(name).component.is_whole


def test_only_a_negative_scale_is_not_wanted():
    """It steers away from its prompt."""
    away = ["scale:-0.5", "flip+scale:-0.5"]
    assert [name for name in [*names(), *away] if not view(name).is_wanted] == away


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("written", [*DECOMPOSITIONS, BANDS, "scale:1.5|scale:-0.5"])
def test_a_decomposition_adds_up_to_the_whole(written, size):
    """As by_frame says, and as pictures do, within 1e-5."""
    x, parts = random(size, channels=3), views_of(written)
    assert by_frame(parts) == [list(range(len(parts)))]
    total = torch.stack([part.invert_noise(x) for part in parts]).sum(0)
    torch.testing.assert_close(total, x, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("written", "frames"),
    [
        ("identity", [[0]]),
        ("identity|flip|negate+flip", [[0], [1], [2]]),
        ("flip+low_pass:4|low_pass:4|high_pass:4|flip+high_pass:4", [[0, 3], [1, 2]]),
        ("identity|flip+grayscale|flip+color", [[0], [1, 2]]),
        ("low_pass:2+grayscale|low_pass:2+color|high_pass:2", [[0, 1, 2]]),
    ],
)
def test_views_are_grouped_by_their_frame_in_order(written, frames):
    """Each frame is a whole picture."""
    assert by_frame(views_of(written)) == frames


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("low_pass:2", "low_pass:2"),
        ("low_pass:2|high_pass:3", "low_pass:2|high_pass:3"),
        ("low_pass:2|high_pass:2|high_pass:2", "low_pass:2|high_pass:2|high_pass:2"),
        ("identity|identity", "identity|identity"),
        ("flip|flip", "flip|flip"),
        ("identity|low_pass:2|high_pass:2", "identity|low_pass:2|high_pass:2"),
        ("low_pass:2|band:1:3|high_pass:1", "low_pass:2|band:1:3|high_pass:1"),
        ("scale:0.5|scale:0.25", "scale:0.5|scale:0.25"),
        ("low_pass:2|flip+high_pass:2", "low_pass:2"),
        ("flip|grayscale|low_pass:2", "grayscale|low_pass:2"),
        ("motion:9|motion_res:8", "motion:9|motion_res:8"),
        ("triple_low|triple_high", "triple_low|triple_high"),
    ],
)
def test_components_that_do_not_add_up_are_refused_with_those_that_do(written, named):
    """The message names the views of the frame that is wrong, and every decomposition."""
    words = f"views {named} do not add up to one whole picture; choose from "
    with pytest.raises(ValueError, match=re.escape(words + ", ".join(DECOMPOSITIONS))):
        by_frame(views_of(written))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("low_pass:2", "high_pass:2"),
        ("high_pass:0.5", "low_pass:0.5"),
        ("grayscale", "color"),
        ("color", "grayscale"),
        ("motion:9", "motion_res:9"),
        ("motion_res:4", "motion:4"),
    ],
)
def test_a_components_complement_makes_it_whole(name, other):
    """By name."""
    assert complement(name) == other
    assert (view(name).component + view(other).component).is_whole


@pytest.mark.parametrize("name", ["identity", "flip", "band:1:2", "triple_low", "scale:0.5"])
def test_what_has_no_complement_by_name_has_none(name):
    """Frames are whole; a band's rest has no name."""
    assert complement(name) is None


def test_every_name_is_itself_the_name_of_its_view():
    """One spelling each, so that equal requests have equal ids."""
    every = [*names(), *ISOMETRIES, *PARTS, *BANDS.split("|")]
    assert [view(name).name for name in every] == every
    assert len(names()) == len(set(names())) == len(FRAMES) + len(COMPONENTS)


@pytest.mark.parametrize("name", ["jigsaw:seed=7", "patch_permute:8:seed=7"])
def test_another_seed_is_another_map(name):
    """And the same seed the same, whenever it is asked for."""
    x = random(64)
    other = name.replace("seed=7", "seed=8")
    assert torch.equal(view(name).show(x), view.__wrapped__(name).show(x))
    assert not torch.equal(view(name).show(x), view(other).show(x))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("flip", 1),
        ("low_pass:2", 1),
        ("jigsaw:seed=7", 32),
        ("jigsaw:seed=7:grid=64", 64),
        ("patch_permute:8:seed=7", 8),
        ("patch_permute:8:seed=7+inner_circle+flip", 32),
    ],
)
def test_a_view_knows_into_how_many_cells_it_cuts(name, cells):
    """The finest of its parts counts."""
    assert view(name).cells == cells


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flp", "view 'flp' is unknown; choose from identity, flip"),
        ("", "view '' is unknown"),
        ("flip+", "view 'flip+' is unknown"),
        ("flip+flp", "view 'flp' is unknown"),
        ("Flip", "view 'Flip' is unknown"),
        ("flip ", "view 'flip ' is unknown"),
        ("flip:2", "has a parameter; flip takes none"),
        ("flip:", "has a parameter; flip takes none"),
        ("color:1", "has a parameter; color takes none"),
        ("low_pass", "lacks a number from 0.4 to 16; it is written as in low_pass:2"),
        ("low_pass:", "needs a number from 0.4 to 16; it is written as in low_pass:2"),
        ("low_pass:x", "needs a number from 0.4 to 16"),
        ("low_pass:nan", "needs a number from 0.4 to 16"),
        ("low_pass:inf", "needs a number from 0.4 to 16"),
        ("low_pass:0.01", "needs a number from 0.4 to 16"),
        ("low_pass:16.5", "needs a number from 0.4 to 16"),
        ("low_pass:2.0", "written as in low_pass:2"),
        ("low_pass:02", "written as in low_pass:2"),
        ("low_pass: 2", "written as in low_pass:2"),
        ("low_pass:1_0", "written as in low_pass:2"),
        ("low_pass:1e1", "written as in low_pass:2"),
        ("high_pass:-1", "needs a number from 0.4 to 16; it is written as in high_pass:2"),
        ("low_pass:1e9", "needs a number from 0.4 to 16"),
        ("low_pass:2:3", "has a wrong parameter '3'; it is written as in low_pass:2"),
        ("low_pass:2:", "has a wrong parameter ''"),
        ("band:1", "lacks a number from 0.4 to 16; it is written as in band:1:2"),
        ("band:2:1", "has no band between its sigmas; it is written as in band:1:2"),
        ("band:2:2", "has no band between its sigmas"),
        ("motion:0.5", "needs a number from 4 to 32"),
        ("scale:0", "is nothing or the whole; it is written as in scale:0.5"),
        ("scale:-0", "is nothing or the whole"),
        ("scale:9", "needs a number from -8 to 8"),
        ("skew:0", "changes nothing; take other numbers"),
        ("skew:0.01", "changes nothing; take other numbers"),
        ("scale:1", "is nothing or the whole"),
        ("skew", "lacks a number from -8 to 8"),
        ("patch_permute:8", "lacks seed= and a whole number from 0 to 999999999"),
        ("patch_permute:seed=7", "needs one of 2, 4, 8;"),
        ("patch_permute:16:seed=7", "needs one of 2, 4, 8;"),
        ("pixel_permute:8:seed=7", "needs one of 16, 32, 64;"),
        (
            "jigsaw",
            "lacks seed= and a whole number from 0 to 999999999; it is written as in jigsaw:",
        ),
        ("jigsaw:7", "lacks seed="),
        ("jigsaw:seed=", "needs seed= and a whole number"),
        ("jigsaw:seed=1.5", "needs seed= and a whole number"),
        ("jigsaw:seed=-1", "needs seed= and a whole number"),
        ("jigsaw:seed=007", "writes 7 as 007"),
        ("jigsaw:seed=1000000000", "needs seed= and a whole number"),
        ("jigsaw:grid=64:seed=7", "lacks seed="),
        ("jigsaw:seed=7:grid=32", "needs grid=64, or nothing; it is written as in jigsaw:seed=7"),
        ("inner_circle:grid=16", "needs grid=64, or nothing"),
        ("inner_circle:64", "has a wrong parameter '64'"),
        ("identity+flip", "holds an identity, which changes nothing; leave it out"),
        ("low_pass:2+identity", "holds an identity, which changes nothing; leave it out"),
        ("flip+flip", "turns the picture back to what it was; leave that out"),
        ("rotate_90+flip+rotate_90+flip", "turns the picture back to what it was"),
        ("negate+flip+negate+flip", "turns the picture back to what it was"),
        ("flip+mirror+rotate_180+low_pass:2", "turns the picture back to what it was"),
        ("scale:2+scale:0.4", "is scaled twice; write one factor"),
        ("grayscale+color", "leaves nothing of a picture to decide on"),
        ("low_pass:2+flip", "turns the picture after a component was taken of it; write flip f"),
        ("flip+color+jigsaw:seed=7", "after a component was taken of it; write jigsaw:seed=7 f"),
    ],
)
def test_a_wrong_view_is_refused_with_what_is_allowed(name, words):
    """The message says what was got and what to write."""
    with pytest.raises(ValueError, match=re.escape(words)):
        view(name)


def test_views_can_be_checked_without_torch():
    """A launcher that only checks names must start at once."""
    code = (
        "import sys\n"
        "from fundiff.view_names import view\n"
        "from fundiff.views import by_frame\n"
        "names = ['low_pass:2', 'high_pass:2', 'flip+grayscale', 'flip+color', 'jigsaw:seed=7']\n"
        "by_frame([view(name) for name in names])\n"
        "print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_cells_are_counted_from_the_top_left():
    """Pixel numbers run along rows, as pictures are stored."""
    x = torch.from_numpy(np.arange(64.0 * 64).reshape(64, 64))
    shown = view("patch_permute:2:seed=1").show(x)
    corners = {float(shown[row, column]) for row in (0, 32) for column in (0, 32)}
    assert corners == {0, 32, 32 * 64, 32 * 64 + 32}
