"""What judges say of a request's pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from fundiff.judges import Judge
from fundiff.pictures import keep_mask, square, to_tensor
from fundiff.readings import (
    DISTANCES,
    around,
    change_distance,
    from_afar,
    halves,
    shrunk,
    split_lead,
)
from fundiff.scores import alignment, concealment, kept_error, seam_ratio
from fundiff.view_names import FAR, NEAR, bases, view
from fundiff.views import View
from jobs.recipes import open_picture
from manifests.records import Request

AT_ONCE = 16
"""Pictures whose readings are made at once: a judge's batch should be full, not the memory."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one judge says of one picture.

    Attributes:
        similarities: Row-major, view x prompt: how what one sees through view i fits prompt j.
        alignment: The worst reading's fit to its own prompt; this is the score.
        concealment: How well each view hides the other prompts; None with a single prompt.
        embedding: Of the picture as it stands, a unit vector.
        near: For a hybrid, how what one sees from near fits its prompt.
        far: For a hybrid, how what one sees from afar, blurred, fits its prompt.
        far_shrunk: Likewise, shrunk instead of blurred.
        change_distance: For a hybrid, the blur from which on it reads as its far prompt.
        split: By how much two halves fit two prompts better than the whole picture.
        source_distance: For an edit, 1 - cosine of its and its source's embedding.
        seam: For an inpainting, gradient at the hole's border by that beside it.
        kept_error: Distance from the original in what is kept of it, in 8-bit levels.
    """

    similarities: tuple[float, ...]
    alignment: float
    concealment: float | None
    embedding: tuple[float, ...]
    near: float | None = None
    far: float | None = None
    far_shrunk: float | None = None
    change_distance: float | None = None
    split: float | None = None
    source_distance: float | None = None
    seam: float | None = None
    kept_error: float | None = None


REPORTED = (
    "concealment",
    "near",
    "far",
    "far_shrunk",
    "change_distance",
    "split",
    "source_distance",
    "seam",
    "kept_error",
)
"""What of a judgement goes into a candidate's row under the same name, besides the score."""


def judge_pictures(
    judge: Judge,
    text_embeds: Tensor,
    request: Request,
    images: Sequence[Image.Image],
    thorough: bool = True,
) -> list[Judgement]:
    """Return a judgement per picture.

    Args:
        judge: The model that scores.
        text_embeds: Of the request's prompts, (prompts, width).
        request: Its views tell how each picture is read.
        images: Pictures of the request's candidates, of one size.
        thorough: Whether to look for two subjects side by side and for where a hybrid changes,
            which takes several times as many readings.
    """
    if not images:
        return []
    size = images[0].height
    reader = _Reader(judge, text_embeds, request, size, thorough)
    measure = _measure_of(request, size)
    judgements = []
    for start in range(0, len(images), AT_ONCE):
        pictures = [to_tensor(_drawn(image)) for image in images[start : start + AT_ONCE]]
        for picture, said in zip(pictures, reader.judge(pictures), strict=True):
            seam, error = measure(picture)
            judgements.append(replace(said, seam=seam, kept_error=error))
    return judgements


def _drawn(image: Image.Image) -> Image.Image:
    """Return the square that was drawn: of a comparison of panels, the last one."""
    return image.crop((image.width - image.height, 0, image.width, image.height))


Reading = tuple[Any, ...]
"""What is shown to a judge, by name: `("whole",)`, `("view", 0)`, `("half", 0, 1, 0)` ..."""


class _Reader:
    """Shows a request's pictures to a judge in all the ways that they are to be read."""

    def __init__(
        self, judge: Judge, text_embeds: Tensor, request: Request, size: int, thorough: bool
    ) -> None:
        self._judge = judge
        self._texts = text_embeds
        self._request = request
        self._views = [view(name) for name in request.views]
        self._wanted = [n for n, each in enumerate(self._views) if each.is_wanted]
        self._is_split = thorough and len(self._wanted) > 1
        self._far = self._first(FAR) if request.kind == "hybrid" else None
        self._near = self._first(NEAR) if request.kind == "hybrid" else None
        self._is_swept = thorough and None not in (self._far, self._near)
        self._hole = self._source = None
        if request.kind == "inpaint" and request.mask is not None:
            self._hole = 1 - keep_mask(open_picture(request.mask), size)
        if request.kind == "edit" and request.image is not None:
            source = to_tensor(square(open_picture(request.image), size))
            self._source = judge.image_embeds([source])[0]

    def _first(self, sorts: tuple[str, ...]) -> int | None:
        """Return the first view that is of one of these sorts."""
        names = enumerate(self._request.views)
        return next((n for n, name in names if not set(sorts).isdisjoint(bases(name))), None)

    def readings(self, picture: Tensor) -> dict[Reading, Tensor]:
        """Return all that the judge is shown of a picture."""
        found: dict[Reading, Tensor] = {("whole",): picture}
        for n, each in enumerate(self._views):
            found["view", n] = self._seen(picture, each)
            if each.sigma:
                found["shrunk", n] = shrunk(each.show(picture), each.sigma)
        if self._is_swept:
            found |= {("blurred", d): from_afar(picture, d) for d in DISTANCES}
        if self._is_split:
            for cut, parts in enumerate(halves(picture)):
                for half, part in enumerate(parts):
                    for n in self._wanted:
                        found["half", cut, half, n] = self._views[n].read(part)
        return found

    def _seen(self, picture: Tensor, through: View) -> Tensor:
        """Return what is seen in a view; of an inpainting, what surrounds the hole."""
        seen = through.read(picture)
        if self._hole is None:
            return seen
        rows, columns = around(self._hole, through)
        return seen[:, rows, columns]

    def judge(self, pictures: Sequence[Tensor]) -> list[Judgement]:
        """Return a judgement per picture; what is shown twice is looked at once."""
        read = [self.readings(picture) for picture in pictures]
        shown = {id(reading): reading for readings in read for reading in readings.values()}
        embeds = dict(zip(shown, self._judge.image_embeds(list(shown.values())), strict=True))
        return [
            self._judgement({name: embeds[id(reading)] for name, reading in readings.items()})
            for readings in read
        ]

    def _judgement(self, embeds: dict[Reading, Tensor]) -> Judgement:
        """Return the judgement on a picture from the embeddings of its readings."""
        fits = {name: embed @ self._texts.T for name, embed in embeds.items()}
        similarities = torch.stack([fits["view", n] for n in range(len(self._views))])
        chosen = similarities[self._wanted][:, self._wanted]
        shrunken = {n: float(fits["shrunk", n][n]) for n in self._wanted if ("shrunk", n) in fits}
        return Judgement(
            tuple(similarities.flatten().tolist()),
            min([alignment(chosen), *shrunken.values()]),
            concealment(chosen, self._judge.temperature) if len(self._wanted) > 1 else None,
            tuple(embeds["whole",].tolist()),
            near=_own(similarities, self._near),
            far=_own(similarities, self._far),
            far_shrunk=None if self._far is None else shrunken.get(self._far),
            change_distance=self._change(fits),
            split=self._split(fits, chosen.diagonal()),
            source_distance=self._moved(embeds["whole",]),
        )

    def _change(self, fits: dict[Reading, Tensor]) -> float | None:
        if not self._is_swept:
            return None
        swept = [fits["blurred", d] for d in DISTANCES]
        return change_distance([float(fit[self._far] - fit[self._near]) for fit in swept])

    def _split(self, fits: dict[Reading, Tensor], whole: Tensor) -> float | None:
        if not self._is_split:
            return None
        parts = [
            [[fits["half", cut, half, n][n] for n in self._wanted] for half in (0, 1)]
            for cut in (0, 1)
        ]
        return split_lead(whole, torch.tensor(parts))

    def _moved(self, embed: Tensor) -> float | None:
        return None if self._source is None else float(1 - embed @ self._source)


def _own(similarities: Tensor, number: int | None) -> float | None:
    """Return a view's fit to its own prompt."""
    return None if number is None else float(similarities[number, number])


Measure = Callable[[Tensor], tuple[float | None, float | None]]
"""From a picture to its seam ratio and its error in what is kept of the image, if anything is."""


def _measure_of(request: Request, size: int) -> Measure:
    """Return what measures pictures of this size against a request's image."""
    if request.image is None or request.kind not in ("inpaint", "inverse"):
        return lambda _: (None, None)
    original = to_tensor(square(open_picture(request.image), size))
    if request.mask is None:
        part = view(request.keep).component
        return lambda picture: (None, kept_error(part(picture), part(original)))
    keep = keep_mask(open_picture(request.mask), size)
    return lambda picture: (seam_ratio(picture, keep), kept_error(picture, original, keep))
