"""The noise schedule, the timesteps it is walked along, and the forward process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NAMED_TIMESTEPS = (
    "fast27",
    "smart27",
    "smart50",
    "smart100",
    "smart185",
    "super27",
    "super40",
    "super100",
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A variance-preserving noise schedule and the clipping that its checkpoint was tuned for.

    Attributes:
        alphas_cumprod: The cumulative products of alpha, one per training timestep, falling.
        thresholding_ratio: The percentile of dynamic thresholding; None clips x_0 to
            `sample_max_value` instead.
        sample_max_value: The largest value that dynamic thresholding rescales from.
        final_alpha_prod: What alphas_cumprod is after the last step.
    """

    alphas_cumprod: tuple[float, ...]
    thresholding_ratio: float | None = 0.95
    sample_max_value: float = 1.5
    final_alpha_prod: float = 1.0

    def alpha_prod(self, t: int) -> float:
        """Return alphas_cumprod at t, or its final value after the last step, t = -1."""
        return self.final_alpha_prod if t < 0 else self.alphas_cumprod[t]

    def add_noise(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Return a draw of q(x_t | x_0), Ho et al., 2020, arXiv:2006.11239, Eq. 4."""
        alpha_prod_t = self.alpha_prod(t)
        return math.sqrt(alpha_prod_t) * x_0 + math.sqrt(1 - alpha_prod_t) * noise

    def renoise(self, x_t: Tensor, noise: Tensor, t: int, t_up: int) -> Tensor:
        """Return a draw of q(x_t_up | x_t) at a noisier timestep: RePaint's jump back.

        Lugmayr et al., 2022, arXiv:2201.09865, Algorithm 1, line 9, several steps in one draw.
        """
        alpha = self.alpha_prod(t_up) / self.alpha_prod(t)
        return math.sqrt(alpha) * x_t + math.sqrt(1 - alpha) * noise


def squared_cosine(num_train_timesteps: int = 1000) -> tuple[float, ...]:
    """Return the alphas_cumprod of the cosine schedule, each beta at most 0.999.

    Nichol & Dhariwal, 2021, arXiv:2102.09672, Eq. 17; `squaredcos_cap_v2` in diffusers.
    """

    def alpha_bar(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    product, products = 1.0, []
    for i in range(num_train_timesteps):
        ratio = alpha_bar((i + 1) / num_train_timesteps) / alpha_bar(i / num_train_timesteps)
        product *= max(ratio, 1 - 0.999)
        products.append(product)
    return tuple(products)


def leading(num_inference_steps: int, num_train_timesteps: int = 1000) -> tuple[int, ...]:
    """Return evenly strided timesteps from high to 0, as diffusers' "leading" spacing has them.

    Raises:
        ValueError: If there are fewer than 1 or more than `num_train_timesteps` steps.
    """
    if not 1 <= num_inference_steps <= num_train_timesteps:
        raise ValueError(
            f"num_inference_steps is {num_inference_steps}; choose 1 to {num_train_timesteps}"
        )
    stride = num_train_timesteps // num_inference_steps
    return tuple(i * stride for i in reversed(range(num_inference_steps)))


def named(name: str) -> tuple[int, ...]:
    """Return one of DeepFloyd IF's hand-tuned timestep lists, such as `smart50`.

    Raises:
        ValueError: If the name is none of `NAMED_TIMESTEPS`.
    """
    if name not in NAMED_TIMESTEPS:
        raise ValueError(
            f"timesteps {name!r} are unknown; choose from {', '.join(NAMED_TIMESTEPS)}"
        )
    from diffusers.pipelines.deepfloyd_if import timesteps

    return tuple(getattr(timesteps, f"{name}_timesteps"))


def strided(stride: int, num_train_timesteps: int = 1000) -> tuple[int, ...]:
    """Return the multiples of a stride from high to 0; 30 gives 990, 960 ... 0, 34 of them.

    Raises:
        ValueError: If the stride is below 1 or beyond the last timestep.
    """
    if not 1 <= stride < num_train_timesteps:
        raise ValueError(f"stride is {stride}; choose 1 to {num_train_timesteps - 1}")
    return tuple(reversed(range(0, num_train_timesteps, stride)))


def timesteps(name: str, num_inference_steps: int) -> tuple[int, ...]:
    """Return a list of timesteps as a manifest names it.

    Args:
        name: Empty for `num_inference_steps` even ones, a name of `NAMED_TIMESTEPS`, or
            `stride:30`.
        num_inference_steps: Of even ones.

    Raises:
        ValueError: If the name is none of these.
    """
    if not name:
        return leading(num_inference_steps)
    stride = name.removeprefix("stride:")
    if stride != name and stride.isascii() and stride.isdecimal():
        return strided(int(stride))
    return named(name)


def start_of(strength: float, count: int) -> int:
    """Return the index into `count` timesteps at which an edit of this strength starts.

    The last `strength` of the timesteps are walked, at least one, as diffusers counts it.
    """
    return min(max(count - int(count * strength), 0), count - 1)


def walk(
    count: int, start: int = 0, jump_length: int = 0, jump_n_sample: int = 1
) -> tuple[int, ...]:
    """Return the indices into the timesteps that a reverse process passes; `count` is the picture.

    Each index that is one above the one before is a step; one below it is a jump back to more
    noise. RePaint walks every stretch of `jump_length` steps `jump_n_sample` times (Lugmayr et
    al., 2022, arXiv:2201.09865, section 4.2 and Figure 9); with 1 there are no jumps.

    Args:
        count: Timesteps.
        start: Index to start at; 0 is noise.
        jump_length: Steps of a stretch.
        jump_n_sample: How often each stretch is walked.

    Raises:
        ValueError: If the jumps are negative.
    """
    if jump_length < 0 or jump_n_sample < 1:
        raise ValueError(
            f"jump_length is {jump_length} and jump_n_sample {jump_n_sample}; "
            "they are at least 0 and 1"
        )
    here, path = start, [start]
    last = count - 1
    left = {}
    if jump_length and jump_n_sample > 1:
        # Stretches are counted from the picture's end, as RePaint does, and begin below `start`.
        ends = range(0, last - start + 1 - jump_length, jump_length)
        left = {last - end: jump_n_sample - 1 for end in ends}
    while here < count:
        if left.get(here):
            left[here] -= 1
            here -= jump_length
        else:
            here += 1
        path.append(here)
    return tuple(path)


def explicit(timesteps: Sequence[int], num_train_timesteps: int = 1000) -> tuple[int, ...]:
    """Return the given timesteps after checking that a reverse process can walk along them.

    Raises:
        ValueError: If the list is empty, leaves 0..num_train_timesteps - 1, or does not fall.
    """
    if not timesteps:
        raise ValueError("timesteps are empty; give at least one")
    if max(timesteps) >= num_train_timesteps or min(timesteps) < 0:
        raise ValueError(
            f"timesteps run from {max(timesteps)} to {min(timesteps)}; "
            f"they must lie in 0..{num_train_timesteps - 1}"
        )
    if any(t <= t_prev for t, t_prev in pairwise(timesteps)):
        raise ValueError("timesteps must fall strictly, from noise to picture; sort them")
    return tuple(timesteps)
