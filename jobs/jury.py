"""The judges of a run: those that select, and one that may be held out and only reports."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from fundiff.judges import Judge, load_judge
from jobs.best_of_n import Marks
from jobs.config import RunConfig
from jobs.judging import Judgement, judge_pictures
from manifests.records import Request

Opinion = tuple[Judgement, ...]
"""What every judge says of one picture, the held-out one last."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Judges that select together, by mean rank, and one that must not.

    Attributes:
        selecting: At least one; the first one's number is a candidate's score.
        held_out: It is asked like the others and decides nothing.
    """

    selecting: tuple[Judge, ...]
    held_out: Judge | None = None

    @property
    def judges(self) -> tuple[Judge, ...]:
        """All of them, the held-out one last."""
        return (*self.selecting, *filter(None, [self.held_out]))

    def hear(
        self, request: Request, images: Sequence[Image.Image], thorough: bool
    ) -> list[Opinion]:
        """Return what the judges say of each picture of a request's candidates."""
        said = [
            judge_pictures(
                judge, judge.text_embeds(request.full_prompts), request, images, thorough
            )
            for judge in self.judges
        ]
        return list(zip(*said, strict=True))

    def marks(self, request: Request, opinion: Opinion) -> Marks:
        """Return what decides over a picture."""
        scores = tuple(said.alignment for said in opinion[: len(self.selecting)])
        split = opinion[0].split
        if request.max_split is None or split is None or split <= request.max_split:
            return Marks(scores)
        return Marks(
            scores,
            f"veto, two halves by themselves lead the whole picture by {split:.4f}, "
            f"more than {request.max_split:g}",
        )


def load_jury(config: RunConfig, device: torch.device) -> Jury:
    """Load the judges of a run."""
    return Jury(
        tuple(load_judge(judge, device) for judge in config.selecting),
        load_judge(config.held_out, device) if config.held_out else None,
    )
