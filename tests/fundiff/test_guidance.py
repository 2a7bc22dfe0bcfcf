"""Which lanes guidance asks for, and what it makes of the answers."""

import pytest
import torch

from fundiff.anagram import anagram
from fundiff.guidance import Prompts, guided
from fundiff.hybrid import hybrid
from fundiff.inverse import inverse
from fundiff.sampling import reverse
from fundiff.view_names import view
from tests.fundiff.exact import canvas, drawn, finish, picture, prompts


def within(wishes: Prompts, start: float, stop: float) -> Prompts:
    """Guide within an interval."""
    return Prompts(
        wishes.prompt_embeds, wishes.negative_prompt_embeds, wishes.guidance_scale, start, stop
    )


def guided_by(wishes: Prompts, steps: int = 10, names=("identity", "flip"), sampler="ddpm"):
    """Draw an anagram with these prompts."""
    place = canvas(steps, sampler=sampler)
    return finish(reverse(place, anagram(place, [view(name) for name in names], wishes)))


@pytest.mark.parametrize(
    ("start", "stop", "guided_steps"),
    [(0.3, 0.6, 3), (0, 1, 10), (0, 0.05, 1), (0, 0, 0), (0.95, 1, 0), (0.9, 1, 1), (0.25, 1, 7)],
)
def test_outside_its_interval_guidance_asks_no_unconditional_lane(start, stop, guided_steps):
    """Two lanes a step, four where i / 10 lies in [start, stop)."""
    wishes = within(prompts(picture(1), picture(2), guidance=5), start, stop)
    assert guided_by(wishes).lanes == 10 * 2 + guided_steps * 2


def test_every_algorithm_guides_within_the_interval():
    """A hybrid and an inverse problem share one unconditional lane among their components."""
    place = canvas(10)
    wishes = within(prompts(picture(1), picture(2), guidance=5), 0.3, 0.6)
    both = hybrid(place, [view("low_pass:2"), view("high_pass:2")], wishes)
    assert finish(reverse(place, both)).lanes == 10 * 2 + 3
    views = [view("band:1:2"), view("high_pass:1")]
    calls = inverse(canvas(10), views, wishes, picture(3), view("low_pass:2"))
    assert finish(calls).lanes == 10 * 2 + 3


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmsolver++"])
@pytest.mark.parametrize("stop", [0.2, 0.9])
def test_guidance_that_ends_before_the_picture_leaves_the_wish_itself(stop, sampler):
    """The last step's x_0 is the conditional data set's one image, whatever went before."""
    c, u = picture(1), picture(2)
    wishes = within(prompts(c, negative=u, guidance=2.5), 0, stop)
    picture_drawn = guided_by(wishes, names=["identity"], sampler=sampler).picture
    torch.testing.assert_close(picture_drawn, c, atol=1e-4, rtol=0)


def test_guidance_in_the_last_step_alone_extrapolates_all_the_same():
    """An interval that holds the end gives u + g (c - u) on one-image data."""
    c, u = picture(1) / 4, picture(2) / 4
    place = canvas(10)
    wishes = within(prompts(c, negative=u, guidance=2.5), 0.9, 1)
    ours = drawn(place, anagram(place, [view("identity")], wishes))
    torch.testing.assert_close(ours, u + 2.5 * (c - u), atol=1e-4, rtol=0)


def test_the_whole_interval_is_plain_guidance_to_the_bit():
    """0 to 1 is the default."""
    wishes = prompts(picture(1), picture(2), guidance=5)
    assert torch.equal(guided_by(within(wishes, 0, 1)).picture, guided_by(wishes).picture)


def test_reducing_prompts_to_some_views_keeps_the_interval():
    """`alternate` asks for one view a step, within the interval like any other."""
    wishes = within(prompts(picture(1), picture(2), guidance=5), 0.25, 0.5)
    assert wishes.only([1]).prompt_embeds == (wishes.prompt_embeds[1],)
    scales = [wishes.only([1]).at(passed).guidance_scale for passed in (0.2, 0.25, 0.49, 0.5)]
    assert scales == [1, 5, 5, 1]


def test_the_variance_is_the_conditional_lanes_and_the_noise_is_extrapolated():
    """It is u + g (c - u), by hand on random answers."""
    x, wishes = picture(1), prompts(picture(2), guidance=3)
    calls = guided([x], wishes, 500, None)
    call = next(calls)
    assert [lane.prompt_embeds is wishes.prompt_embeds[0] for lane in call.lanes] == [False, True]
    u, c = torch.randn((2, 6, 16, 16), generator=torch.Generator().manual_seed(0))
    with pytest.raises(StopIteration) as end:
        calls.send([u, c])
    (said,) = end.value.value
    torch.testing.assert_close(said.noise_pred, u[:3] + 3 * (c[:3] - u[:3]))
    assert torch.equal(said.predicted_variance, c[3:])
