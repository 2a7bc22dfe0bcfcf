"""What an algorithm asks of the UNet, and how it asks: by yielding a call, receiving the rows."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the UNet's batch.

    Attributes:
        sample: What the UNet sees, (C_in, H, W): x_t, in stage II stacked on the low-res one.
        prompt_embeds: Text conditioning, (tokens, width).
    """

    sample: Tensor
    prompt_embeds: Tensor


@dataclass(frozen=True, slots=True)
class UNetCall:
    """Lanes that one step of one candidate needs, all at the same timestep.

    Attributes:
        lanes: At least one lane.
        t: Timestep, 0 to 999.
        noise_level: Noise on the low-res conditioning, 0 to 999; None in stage I.
    """

    lanes: tuple[Lane, ...]
    t: int
    noise_level: int | None = None


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The picture that an algorithm expects while it is still on its way; it is sent nothing.

    Attributes:
        picture: The x_0 that the last estimate assumes, (C, H, W).
        step: Which estimate that was, counted from 0.
    """

    picture: Tensor
    step: int


Calls: TypeAlias = Generator[UNetCall | Glimpse, Sequence[Tensor], T]
"""An algorithm: yields UNet calls, is sent one output (2C, H, W) per lane, returns a T."""
