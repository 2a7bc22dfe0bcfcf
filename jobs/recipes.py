"""From a request in the manifest to the algorithm that draws one of its candidates."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from fundiff import cascade
from fundiff.calls import Calls
from fundiff.guidance import Prompts
from fundiff.models import Stage
from fundiff.noise import Noise, candidate_seed
from fundiff.pictures import keep_mask, square, to_tensor
from fundiff.canvas import Canvas
from fundiff.schedule import leading
from fundiff.views import view
from manifests.records import Picture, Request


@dataclass(frozen=True, slots=True)
class Studio:
    """The models and the text that candidates are drawn with.

    Attributes:
        stage_1: The first UNet.
        stage_2: The second UNet.
        embeddings: Prompt -> (tokens, width), on the stages' device.
        run_seed: The run's seed, for requests without one of their own.
        originals: Pictures and masks of inpaintings, once they were cut to a stage's size.
    """

    stage_1: Stage
    stage_2: Stage
    embeddings: Mapping[str, Tensor]
    run_seed: int
    originals: dict[tuple[str, int], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def seed(self, request: Request, candidate: int) -> int:
        """Return the seed of a candidate."""
        run_seed = self.run_seed if request.seed is None else request.seed
        return candidate_seed(run_seed, request.request_id, candidate)

    def draw_stage_1(self, request: Request, candidate: int) -> Calls[Tensor]:
        """Return the algorithm that draws a candidate's first picture."""
        stage = self.stage_1
        canvas = Canvas(
            (3, stage.size, stage.size),
            leading(request.num_inference_steps),
            stage.schedule,
            Noise(self.seed(request, candidate), 1, stage.device),
        )
        return cascade.draw(self._recipe(request, stage, request.guidance_scale), canvas)

    def draw_stage_2(
        self, request: Request, candidate: int, picture: Image.Image
    ) -> Calls[Tensor]:
        """Return the algorithm that draws a candidate's second picture from its first.

        The first picture is taken in its 8-bit form, as it is stored: so a run that was
        interrupted between the stages goes on to the same bits.
        """
        stage = self.stage_2
        assert stage.image_noising_schedule is not None
        canvas = cascade.stage_2_canvas(
            to_tensor(picture).to(stage.device),
            stage.size,
            leading(request.stage_2_num_inference_steps),
            stage.schedule,
            stage.image_noising_schedule,
            Noise(self.seed(request, candidate), 2, stage.device),
            request.noise_level,
        )
        return cascade.draw(self._recipe(request, stage, request.stage_2_guidance_scale), canvas)

    def _recipe(self, request: Request, stage: Stage, guidance_scale: float) -> cascade.Recipe:
        prompts = Prompts(
            tuple(self.embeddings[prompt] for prompt in request.full_prompts),
            self.embeddings[request.negative_prompt],
            guidance_scale,
        )
        views = tuple(view(name) for name in request.views)
        if request.image is None or request.mask is None:
            return cascade.Recipe(request.kind, views, prompts, request.reduction)
        key = (request.request_id, stage.size)
        if key not in self.originals:
            self.originals[key] = (
                to_tensor(square(open_picture(request.image), stage.size)).to(stage.device),
                keep_mask(open_picture(request.mask), stage.size).to(stage.device),
            )
        return cascade.Recipe(
            request.kind, views, prompts, request.reduction, *self.originals[key]
        )


def open_picture(picture: Picture) -> Image.Image:
    """Return a stored picture as an RGB image."""
    return Image.open(io.BytesIO(picture.bytes)).convert("RGB")


def store_picture(image: Image.Image) -> Picture:
    """Return an image as it is stored: PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return Picture(buffer.getvalue(), "")
