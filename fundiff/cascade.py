"""From a request's recipe to the algorithm that draws it, stage by stage."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from fundiff.anagram import anagram
from fundiff.calls import Calls
from fundiff.guidance import Prompts
from fundiff.hybrid import hybrid
from fundiff.inpaint import inpaint
from fundiff.sampling import Canvas, NoiseSource
from fundiff.schedule import Schedule
from fundiff.views import View


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to draw in one stage.

    Attributes:
        kind: `anagram`, `hybrid` or `inpaint`.
        views: One per prompt.
        prompts: Embeddings and guidance of this stage.
        reduction: How an anagram combines its views.
        original: For an inpainting, (3, H, W) at this stage's size, in [-1, 1].
        keep_mask: For an inpainting, (1, H, W), 1 = keep the original pixel.
    """

    kind: str
    views: tuple[View, ...]
    prompts: Prompts
    reduction: str = "mean"
    original: Tensor | None = None
    keep_mask: Tensor | None = None


def draw(recipe: Recipe, canvas: Canvas) -> Calls[Tensor]:
    """Return the algorithm that draws a recipe on a canvas, not started yet.

    Raises:
        ValueError: If the kind is unknown.
    """
    match recipe.kind:
        case "anagram":
            return anagram(canvas, recipe.views, recipe.prompts, recipe.reduction)
        case "hybrid":
            return hybrid(canvas, recipe.views, recipe.prompts)
        case "inpaint":
            assert recipe.original is not None
            assert recipe.keep_mask is not None
            return inpaint(canvas, recipe.prompts, recipe.original, recipe.keep_mask)
    raise ValueError(f"kind {recipe.kind!r} is unknown; choose from anagram, hybrid, inpaint")


def stage_2_canvas(
    picture: Tensor,
    size: int,
    timesteps: tuple[int, ...],
    schedule: Schedule,
    image_noising_schedule: Schedule,
    noise: NoiseSource,
    noise_level: int,
) -> Canvas:
    """Return the canvas of the second stage, conditioned on the first one's picture.

    The picture is brought to size bilinearly (corners aligned) and noised to `noise_level`, as
    DeepFloyd IF was trained: noise conditioning augmentation, Ho et al., 2021, arXiv:2106.15282.

    Args:
        picture: Stage I's picture, (3, h, w) in [-1, 1].
        size: Side of the picture to draw.
        timesteps: Stage II's timesteps.
        schedule: Stage II's noise schedule.
        image_noising_schedule: The schedule that `noise_level` refers to.
        noise: The candidate's draws in this stage.
        noise_level: 0 to 999.
    """
    upscaled = interpolate(picture[None], (size, size), mode="bilinear", align_corners=True)[0]
    draw = noise.draw(upscaled.shape)
    low_res = image_noising_schedule.add_noise(upscaled, draw, noise_level)
    return Canvas((3, size, size), timesteps, schedule, noise, low_res, noise_level)
