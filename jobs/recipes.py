"""From a request in the manifest to the algorithm that draws one of its candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from fundiff import cascade, schedule
from fundiff.calls import Calls
from fundiff.canvas import Canvas
from fundiff.guidance import Prompts
from fundiff.inpaint import soft_edges
from fundiff.models import Stage
from fundiff.noise import Noise, candidate_seed
from fundiff.pictures import keep_mask, square, to_tensor
from fundiff.view_names import view
from jobs.best_of_n import GLIMPSE
from jobs.budget import glimpses_of, guidance_scale, start_of
from jobs.pictures import image_of, png_of
from manifests.records import Picture, Request


@dataclass(frozen=True, slots=True)
class Studio:
    """The models and the text that candidates are drawn with.

    Attributes:
        stages: The UNets, by stage, 1 and 2.
        embeddings: Prompt -> (tokens, width), on the stages' device.
        run_seed: The run's seed, for requests without one of their own.
        originals: Input images and their masks, once they were cut to a stage's size.
    """

    stages: Mapping[int, Stage]
    embeddings: Mapping[str, Tensor]
    run_seed: int
    originals: dict[tuple[str, int], tuple[Tensor, Tensor | None]] = field(default_factory=dict)

    def seed(self, request: Request, candidate: int) -> int:
        """Return the seed of a candidate."""
        return seed_of(request, candidate, self.run_seed)

    def draw(
        self, request: Request, candidate: int, stage: int, first: Image.Image | None = None
    ) -> Calls[Tensor]:
        """Return the algorithm that draws a candidate in a stage.

        Args:
            request: What to draw.
            candidate: Its number.
            stage: 1, 2, or `GLIMPSE` for stage I that shows on the way what it expects.
            first: Stage I's picture, which stage II starts from.
        """
        if stage == 2:
            assert first is not None
            return self.draw_stage_2(request, candidate, first)
        glimpses = glimpses_of(request) if stage == GLIMPSE else frozenset[int]()
        return self.draw_stage_1(request, candidate, glimpses)

    def draw_stage_1(
        self, request: Request, candidate: int, glimpses: frozenset[int] = frozenset()
    ) -> Calls[Tensor]:
        """Return the algorithm that draws a candidate's first picture.

        Args:
            request: What to draw.
            candidate: Its number.
            glimpses: Steps, counted from 0, after which it shows what it expects.
        """
        stage = self.stages[1]
        canvas = Canvas(
            (3, stage.size, stage.size),
            timesteps_of(request, 1),
            stage.schedule,
            Noise(self.seed(request, candidate), 1, stage.device),
            sampler=request.sampler,
            glimpses=glimpses,
        )
        return cascade.draw(self._recipe(request, 1), canvas)

    def draw_stage_2(
        self, request: Request, candidate: int, picture: Image.Image
    ) -> Calls[Tensor]:
        """Return the algorithm that draws a candidate's second picture from its first.

        The first picture is taken in its 8-bit form, as it is stored: so a run that was
        interrupted between the stages goes on to the same bits.
        """
        stage = self.stages[2]
        assert stage.image_noising_schedule is not None
        canvas = cascade.stage_2_canvas(
            to_tensor(picture).to(stage.device),
            stage.size,
            timesteps_of(request, 2),
            stage.schedule,
            stage.image_noising_schedule,
            Noise(self.seed(request, candidate), 2, stage.device),
            request.noise_level,
            request.sampler,
        )
        return cascade.draw(self._recipe(request, 2), canvas)

    def _recipe(self, request: Request, stage: int) -> cascade.Recipe:
        prompts = Prompts(
            tuple(self.embeddings[prompt] for prompt in request.full_prompts),
            self.embeddings[request.negative_prompt],
            guidance_scale(request, stage),
            request.guidance_start,
            request.guidance_stop,
        )
        original, mask = self._original(request, self.stages[stage])
        return cascade.Recipe(
            request.kind,
            tuple(view(name) for name in request.views),
            prompts,
            request.reduction,
            original,
            mask,
            view(request.keep) if request.keep else None,
            start_of(request, stage),
            request.jump_length,
            request.jump_n_sample,
        )

    def _original(self, request: Request, stage: Stage) -> tuple[Tensor | None, Tensor | None]:
        """Return a request's image and what is kept of it, at a stage's size."""
        if request.image is None:
            return None, None
        key = (request.request_id, stage.size)
        if key not in self.originals:
            image = to_tensor(square(open_picture(request.image), stage.size)).to(stage.device)
            mask = None
            if request.mask is not None:
                hard = keep_mask(open_picture(request.mask), stage.size).to(stage.device)
                mask = soft_edges(hard, request.mask_blur)
            self.originals[key] = image, mask
        return self.originals[key]


def seed_of(request: Request, candidate: int, run_seed: int) -> int:
    """Return the seed of a candidate; the request's own goes before the run's."""
    seed = run_seed if request.seed is None else request.seed
    return candidate_seed(seed, request.request_id, candidate)


def timesteps_of(request: Request, stage: int) -> tuple[int, ...]:
    """Return the timesteps that a request asks for in a stage."""
    if stage == 1:
        return schedule.timesteps(request.timesteps, request.num_inference_steps)
    return schedule.timesteps(request.stage_2_timesteps, request.stage_2_num_inference_steps)


def open_picture(picture: Picture) -> Image.Image:
    """Return a stored picture as an RGB image."""
    return image_of(picture.bytes).convert("RGB")


def store_picture(image: Image.Image) -> Picture:
    """Return an image as it is stored: PNG, without loss."""
    return Picture(png_of(image), "")
