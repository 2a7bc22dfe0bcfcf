"""What the judge says of a request's pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image
from torch import Tensor

from fundiff.judges import Judge
from fundiff.pictures import keep_mask, square, to_image, to_tensor
from fundiff.scores import alignment, concealment, kept_error, seam_ratio
from fundiff.view_names import FAR, NEAR, bases, view
from fundiff.views import View
from jobs.recipes import open_picture
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
        seam: For an inpainting, gradient at the hole's border by that beside it.
        kept_error: Distance from the original in what is kept of it, in 8-bit levels.
    """

    similarities: tuple[float, ...]
    alignment: float
    concealment: float | None
    far: float | None = None
    near: float | None = None
    seam: float | None = None
    kept_error: float | None = None


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
    if not images:
        return []
    views = [view(name) for name in request.views]
    pictures = [to_tensor(_drawn(image)) for image in images]
    readings = [to_image(v.read(picture)) for picture in pictures for v in views]
    image_embeds = judge.image_embeds(readings).view(len(images), len(views), -1)
    fidelity = _fidelity_to(request, pictures[0].shape[-1])
    judgements = []
    for picture, embeds in zip(pictures, image_embeds, strict=True):
        judgement = _judgement(request, views, embeds @ text_embeds.T, judge)
        seam, error = fidelity(picture)
        judgements.append(replace(judgement, seam=seam, kept_error=error))
    return judgements


def _drawn(image: Image.Image) -> Image.Image:
    """Return the square that was drawn: of a comparison of panels, the last one."""
    return image.crop((image.width - image.height, 0, image.width, image.height))


def _judgement(
    request: Request, views: Sequence[View], similarities: Tensor, judge: Judge
) -> Judgement:
    wanted = [n for n, each in enumerate(views) if each.is_wanted]
    chosen = similarities[wanted][:, wanted]
    own = dict(zip(request.views, similarities.diagonal().tolist(), strict=True))
    is_hybrid = request.kind == "hybrid"
    return Judgement(
        tuple(similarities.flatten().tolist()),
        alignment(chosen),
        concealment(chosen, judge.temperature) if len(wanted) > 1 else None,
        far=_first(own, FAR) if is_hybrid else None,
        near=_first(own, NEAR) if is_hybrid else None,
    )


def _first(own: dict[str, float], sorts: tuple[str, ...]) -> float | None:
    fits = (value for name, value in own.items() if not set(sorts).isdisjoint(bases(name)))
    return next(fits, None)


Fidelity = Callable[[Tensor], tuple[float | None, float | None]]
"""From a picture to its seam ratio and its error in what is kept of the image, if anything is."""


def _fidelity_to(request: Request, size: int) -> Fidelity:
    """Return what measures pictures of this size against a request's image."""
    if request.image is None or request.kind not in ("inpaint", "inverse"):
        return lambda _: (None, None)
    original = to_tensor(square(open_picture(request.image), size))
    if request.mask is None:
        part = view(request.keep).component
        return lambda picture: (None, kept_error(part(picture), part(original)))
    keep = keep_mask(open_picture(request.mask), size)
    return lambda picture: (seam_ratio(picture, keep), kept_error(picture, original, keep))
