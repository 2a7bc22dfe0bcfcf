"""What a candidate will cost is what it costs."""

import pytest

from fundiff.anagram import anagram
from fundiff.budget import count_lanes
from fundiff.guidance import Prompts
from fundiff.inverse import inverse
from fundiff.sampling import reverse
from fundiff.schedule import walk
from fundiff.view_names import view
from tests.fundiff.exact import canvas, finish, picture

STEPS = 10
WISHES = {letter: picture(n).reshape(1, -1) for n, letter in enumerate("abcd")}
HYBRIDS = "low_pass:4|high_pass:4|flip+low_pass:4|flip+high_pass:4"


def counted(views, prompts, negative, path, alternate, **guidance) -> int:
    """What is counted beforehand."""
    return count_lanes(views, prompts, negative, path, STEPS, alternate=alternate, **guidance)


def wishes(prompts, negative, **guidance) -> Prompts:
    """Every prompt encoded once, as a run does."""
    return Prompts(tuple(WISHES[p] for p in prompts), WISHES[negative], **guidance)


@pytest.mark.parametrize("reduction", ["mean", "alternate"])
@pytest.mark.parametrize("interval", [(0.0, 1.0), (0.3, 0.6)])
@pytest.mark.parametrize("scale", [1, 5])
@pytest.mark.parametrize(
    ("written", "prompts"),
    [
        ("identity", "a"),
        ("identity|flip", "ab"),
        ("identity|flip", "aa"),
        ("identity|flip|rotate_90", "abc"),
        ("low_pass:4|high_pass:4", "ab"),
        ("low_pass:4|high_pass:4", "aa"),
        (HYBRIDS, "abcd"),
        (HYBRIDS, "abba"),
        ("identity|flip+grayscale|flip+color", "abb"),
        ("scale:1.5|scale:-0.5", "ad"),
    ],
)
def test_the_lanes_that_are_counted_are_the_lanes_that_are_asked(
    written, prompts, scale, interval, reduction
):
    """Equal lanes once; d is the negative prompt, and may be a view's own too."""
    views = [view(name) for name in written.split("|")]
    guidance = {
        "guidance_scale": scale,
        "guidance_start": interval[0],
        "guidance_stop": interval[1],
    }
    path, place = walk(STEPS, 0, 2, 2), canvas(STEPS)
    estimate = anagram(place, views, wishes(prompts, "d", **guidance), reduction)
    asked = finish(reverse(place, estimate, path=path)).lanes
    assert counted(views, prompts, "d", path, reduction == "alternate", **guidance) == asked


@pytest.mark.parametrize("start", [0, 4, 9])
def test_an_edit_is_counted_from_its_start_on(start):
    """Two views, guided: four lanes a step."""
    views, path = [view("identity"), view("flip")], walk(STEPS, start)
    lanes = counted(views, "ab", "d", path, False, guidance_scale=5)
    assert lanes == (STEPS - start) * 4


@pytest.mark.parametrize(("written", "prompts"), [("color", "a"), ("band:1:2|high_pass:1", "ab")])
def test_an_inverse_problem_is_counted_though_its_views_are_no_whole(written, prompts):
    """The photo's own component asks nothing."""
    views = [view(name) for name in written.split("|")]
    keep = view("grayscale" if written == "color" else "low_pass:2")
    guided = wishes(prompts, "d", guidance_scale=5)
    asked = finish(inverse(canvas(STEPS), views, guided, picture(9), keep)).lanes
    assert counted(views, prompts, "d", walk(STEPS), False, guidance_scale=5) == asked
