"""What the judge says of a request's pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from fundiff.judges import Judge
from fundiff.pictures import to_image, to_tensor
from fundiff.scores import alignment, concealment
from fundiff.views import view
from manifests.records import Request


@dataclass(frozen=True, slots=True)
class Judgement:
    """One picture's scores.

    Attributes:
        similarities: Row-major, view x prompt: how what one sees through view i fits prompt j.
        alignment: The worst view's fit to its own prompt; this is the score.
        concealment: How well each view hides the other prompts; None with a single prompt.
        far: For a hybrid, how what one sees from afar fits its prompt.
        near: For a hybrid, how what one sees from near fits its prompt.
    """

    similarities: tuple[float, ...]
    alignment: float
    concealment: float | None
    far: float | None = None
    near: float | None = None


def judge_pictures(
    judge: Judge, text_embeds: Tensor, request: Request, images: Sequence[Image.Image]
) -> list[Judgement]:
    """Return a judgement per picture.

    Args:
        judge: The model that scores.
        text_embeds: Of the request's prompts, (prompts, width).
        request: Its views tell how each picture is read.
        images: Pictures of the request's candidates.
    """
    views = [view(name) for name in request.views]
    readings = [to_image(v.read(to_tensor(image))) for image in images for v in views]
    image_embeds = judge.image_embeds(readings).view(len(images), len(views), -1)
    return [_judgement(request, embeds @ text_embeds.T, judge) for embeds in image_embeds]


def _judgement(request: Request, similarities: Tensor, judge: Judge) -> Judgement:
    own = dict(zip(request.views, similarities.diagonal().tolist(), strict=True))
    is_hybrid = request.kind == "hybrid"
    return Judgement(
        tuple(similarities.flatten().tolist()),
        alignment(similarities),
        concealment(similarities, judge.temperature) if len(request.views) > 1 else None,
        far=_first(own, "low_pass") if is_hybrid else None,
        near=_first(own, "high_pass") if is_hybrid else None,
    )


def _first(own: dict[str, float], view_name: str) -> float | None:
    return next((value for name, value in own.items() if name.startswith(view_name)), None)
