"""From a request's recipe to the algorithm that draws it, stage by stage."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from fundiff.anagram import anagram
from fundiff.calls import Calls
from fundiff.canvas import Canvas, NoiseSource
from fundiff.denoise import denoise
from fundiff.edit import edit
from fundiff.guidance import Prompts
from fundiff.hybrid import hybrid
from fundiff.inpaint import inpaint
from fundiff.inverse import inverse
from fundiff.sampling import reverse
from fundiff.schedule import Schedule
from fundiff.views import View

KINDS = ("generate", "anagram", "hybrid", "inpaint", "edit", "inverse", "denoise")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to draw in one stage.

    Attributes:
        kind: One of `KINDS`.
        views: One per prompt.
        prompts: Embeddings and guidance of this stage.
        reduction: How the views' frames are combined.
        original: What the picture starts from or keeps a part of, (3, H, W) at this stage's size,
            in [-1, 1]; for the last four kinds.
        keep_mask: For an inpainting, (1, H, W), 1 = keep the original pixel.
        keep: For an inverse problem, the component that is the original's.
        start: For an edit or a denoising, the index into the timesteps that it starts at.
        jump_length: For an inpainting, steps of a stretch that is walked several times.
        jump_n_sample: For an inpainting, how often each stretch is walked.
    """

    kind: str
    views: tuple[View, ...]
    prompts: Prompts
    reduction: str = "mean"
    original: Tensor | None = None
    keep_mask: Tensor | None = None
    keep: View | None = None
    start: int = 0
    jump_length: int = 0
    jump_n_sample: int = 1


def draw(recipe: Recipe, canvas: Canvas) -> Calls[Tensor]:
    """Return the algorithm that draws a recipe on a canvas, not started yet.

    Raises:
        ValueError: If the kind is unknown, or its views do not go together.
    """
    if recipe.kind not in KINDS:
        raise ValueError(f"kind {recipe.kind!r} is unknown; choose from {', '.join(KINDS)}")
    if recipe.kind == "hybrid":
        return reverse(canvas, hybrid(canvas, recipe.views, recipe.prompts))
    if recipe.kind == "inverse":
        assert recipe.original is not None
        assert recipe.keep is not None
        return inverse(canvas, recipe.views, recipe.prompts, recipe.original, recipe.keep)

    estimate = anagram(canvas, recipe.views, recipe.prompts, recipe.reduction)
    if recipe.kind in ("generate", "anagram"):
        return reverse(canvas, estimate)
    assert recipe.original is not None
    match recipe.kind:
        case "inpaint":
            assert recipe.keep_mask is not None
            jumps = recipe.jump_length, recipe.jump_n_sample
            return inpaint(canvas, estimate, recipe.original, recipe.keep_mask, *jumps)
        case "edit":
            return edit(canvas, estimate, recipe.original, recipe.start)
    return denoise(canvas, estimate, recipe.original, recipe.start)


def stage_2_canvas(
    picture: Tensor,
    size: int,
    timesteps: tuple[int, ...],
    schedule: Schedule,
    image_noising_schedule: Schedule,
    noise: NoiseSource,
    noise_level: int,
    sampler: str = "ddpm",
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
        sampler: Name of the steps.
    """
    upscaled = interpolate(picture[None], (size, size), mode="bilinear", align_corners=True)[0]
    draw = noise.draw(upscaled.shape)
    low_res = image_noising_schedule.add_noise(upscaled, draw, noise_level)
    return Canvas((3, size, size), timesteps, schedule, noise, low_res, noise_level, sampler)
