"""The views: transformations under which one picture is read with one of its prompts.

How they are named is in `fundiff.view_names`. No tensor is made here and torch is not imported,
so that a manifest can be checked without it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fundiff.filters import WHOLE, Filter
from fundiff.frames import IDENTITY, Frame

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class View:
    """How the model, and a person, reads a picture.

    A frame turns the picture before the model sees it and turns the estimate back: white noise
    stays white noise, which is what makes it work (Geng et al., 2024, arXiv:2311.17919, section
    3.3). A component is the part of the estimated noise that the view's prompt decides on (Geng
    et al., 2024, arXiv:2404.11615, Eq. 5); the components of one frame add up to the whole.

    Attributes:
        name: As it stands in a manifest, with its parameters.
        frames: The isometries, in the order in which they are applied.
        component: The part of the estimate, in the frame, that the prompt decides on.
        reading: What a person sees of the picture, in the frame.
        is_wanted: Whether the prompt is to be seen; `scale` with a negative factor steers away
            from it.
    """

    name: str
    frames: tuple[Frame, ...]
    component: Filter = WHOLE
    reading: Filter = WHOLE
    is_wanted: bool = True

    @property
    def frame(self) -> Frame:
        """The isometry from the picture to what is shown."""
        frame = IDENTITY
        for part in self.frames:
            frame = frame.then(part)
        return frame

    @property
    def cells(self) -> int:
        """Cells that a picture's side must divide into; 1 if any picture will do."""
        return max((f.cells.grid for f in self.frames if f.cells is not None), default=1)

    @property
    def is_orthogonal(self) -> bool:
        """Whether the view only permutes or negates pixels and keeps all of the estimate."""
        return self.component is WHOLE

    @property
    def sigma(self) -> float:
        """How far away it is read: of a Gaussian blur, in pixels of a 64-px picture; 0 is near."""
        match self.reading.terms:
            case (((("gaussian", sigma),), 1.0),):
                return sigma
        return 0.0

    def show(self, x: Tensor) -> Tensor:
        """Return what the model sees of a picture; the very same tensor if nothing changes."""
        return self.frame.show(x)

    def read(self, x: Tensor) -> Tensor:
        """Return what a person sees of the finished picture through this view."""
        shown = self.frame.show(x)
        return shown if self.reading is WHOLE else self.reading(shown)

    def invert(self, predicted_variance: Tensor) -> Tensor:
        """Return a variance of the shown picture as one of the picture itself."""
        return self.frame.invert(predicted_variance)

    def invert_noise(self, noise_pred: Tensor) -> Tensor:
        """Return this view's part of a noise estimate, as one of the picture itself."""
        frame = self.frame
        if self.component is not WHOLE:
            noise_pred = self.component(noise_pred)
        noise_pred = frame.invert(noise_pred)
        return -noise_pred if frame.sign < 0 else noise_pred


def by_frame(views: Sequence[View]) -> list[list[int]]:
    """Return the numbers of the views that share a frame, frame by frame, in order.

    Raises:
        ValueError: If the components of a frame do not add up to the whole picture.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, each in enumerate(views):
        groups.setdefault(each.frame.key, []).append(number)
    for group in groups.values():
        total = Filter(())
        for number in group:
            total = total + views[number].component
        if not total.is_whole:
            written = "|".join(views[number].name for number in group)
            raise ValueError(
                f"views {written} do not add up to one whole picture; choose from "
                f"{', '.join(DECOMPOSITIONS)}, with the same parameters throughout, "
                "or give each prompt a turn of its own, such as identity|flip"
            )
    return list(groups.values())


DECOMPOSITIONS = (
    "low_pass:2|high_pass:2",
    "low_pass:2|band:1:2|high_pass:1",
    "triple_low|triple_medium|triple_high",
    "grayscale|color",
    "motion:9|motion_res:9",
    "scale:0.5|scale:0.5",
)
"""Components that add up to the whole, as a user would write them."""
