"""From a recipe to the picture, for every kind and in both stages."""

import pytest
import torch
from torch.nn.functional import interpolate

from fundiff.cascade import Recipe, draw, stage_2_canvas
from fundiff.filters import grayscale, low_pass
from fundiff.noise import Noise
from fundiff.schedule import leading
from fundiff.view_names import view
from tests.fundiff.exact import SCHEDULE, canvas, finish, picture, prompts, run, stage_2

A, B, PHOTO = picture(1), picture(2), picture(3)
KEEP = torch.ones((1, 16, 16))
KEEP[:, 4:12, 4:12] = 0
PLAIN = (view("identity"),)

RECIPES = {
    "generate": (Recipe("generate", PLAIN, prompts(A)), A),
    "anagram": (
        Recipe("anagram", (view("identity"), view("flip")), prompts(A, B), "mean"),
        (A + B.flip(-2)) / 2,
    ),
    "hybrid": (
        Recipe("hybrid", (view("low_pass:4"), view("high_pass:4")), prompts(A, B)),
        low_pass(A, 4) + B - low_pass(B, 4),
    ),
    "inpaint": (
        Recipe(
            "inpaint",
            PLAIN,
            prompts(A),
            original=PHOTO,
            keep_mask=KEEP,
            jump_length=2,
            jump_n_sample=2,
        ),
        PHOTO.where(KEEP == 1, A),
    ),
    "edit": (Recipe("edit", PLAIN, prompts(A), original=PHOTO, start=3), A),
    "inverse": (
        Recipe("inverse", (view("color"),), prompts(A), original=PHOTO, keep=view("grayscale")),
        grayscale(PHOTO) + A - grayscale(A),
    ),
}


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmsolver++"])
def test_a_recipe_of_every_kind_draws_its_picture_in_both_stages(kind, sampler):
    """On one-image data, with its own algorithm."""
    recipe, wanted = RECIPES[kind]
    for place in (canvas(8, sampler=sampler), stage_2(canvas(8, sampler=sampler))):
        torch.testing.assert_close(run(draw(recipe, place)), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("kind", "lanes"),
    [("generate", 8), ("anagram", 16), ("hybrid", 16), ("edit", 5), ("inverse", 8)],
)
def test_a_recipe_costs_what_its_algorithm_costs(kind, lanes):
    """Lanes over 8 steps without guidance; an edit skips those before its start."""
    assert finish(draw(RECIPES[kind][0], canvas(8))).lanes == lanes


def test_an_inpainting_walks_the_jumps_of_its_recipe():
    """8 steps, and three stretches of two walked again."""
    assert finish(draw(RECIPES["inpaint"][0], canvas(8))).lanes == 8 + 3 * 2


def test_a_recipe_to_denoise_draws_five_panels():
    """Side by side, the first of them the photo, the last the wish."""
    recipe = Recipe("denoise", PLAIN, prompts(A), original=PHOTO, start=3)
    strip = run(draw(recipe, canvas(8)))
    assert strip.shape == (3, 16, 5 * 16)
    assert torch.equal(strip[..., :16], PHOTO)
    torch.testing.assert_close(strip[..., -16:], A, atol=1e-4, rtol=0)


def test_a_recipes_reduction_is_used():
    """`alternate` asks for one view a step."""
    recipe = Recipe("anagram", (view("identity"), view("flip")), prompts(A, B), "alternate")
    assert finish(draw(recipe, canvas(8))).lanes == 8


@pytest.mark.parametrize("original", [None, PHOTO], ids=["alone", "with a photo"])
def test_an_unknown_kind_is_refused(original):
    """Whatever else the recipe holds."""
    with pytest.raises(ValueError, match="kind 'sketch' is unknown"):
        draw(Recipe("sketch", PLAIN, prompts(A), original=original), canvas(2))


@pytest.mark.parametrize("sampler", ["ddpm", "dpmsolver++"])
def test_the_second_stages_canvas_has_the_enlarged_noised_picture(sampler):
    """Bilinear with corners aligned, and q(x_t | it) of the canvas's first draw at the level."""
    small = picture(5, 8)
    place = stage_2_canvas(small, 16, leading(4), SCHEDULE, SCHEDULE, Noise(3, 2), 50, sampler)
    enlarged = interpolate(small[None], (16, 16), mode="bilinear", align_corners=True)[0]
    noise = Noise(3, 2).draw((3, 16, 16))
    assert torch.equal(place.low_res, SCHEDULE.add_noise(enlarged, noise, 50))
    assert (place.shape, place.timesteps) == ((3, 16, 16), leading(4))
    assert (place.noise_level, place.sampler) == (50, sampler)
    x_t = picture(6)
    assert torch.equal(place.model_input(x_t), torch.cat([x_t, place.low_res]))
    assert canvas(2).model_input(x_t) is x_t
