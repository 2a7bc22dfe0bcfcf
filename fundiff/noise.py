"""One generator per candidate and stage: a candidate's draws never depend on its neighbours."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def candidate_seed(run_seed: int, request_id: str, candidate: int) -> int:
    """Return the seed of a candidate, 0 to 2**63 - 1: a hash, so it is the same anywhere."""
    text = f"{run_seed}/{request_id}/{candidate}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


class Noise:
    """The stream of standard normal draws that belongs to one candidate in one stage.

    Drawn on the CPU in float32 whatever the device, so that a GPU and a CPU see the same noise.
    """

    def __init__(self, seed: int, stage: int, device: torch.device | str = "cpu") -> None:
        stage_seed = hashlib.sha256(f"{seed}/{stage}".encode()).digest()[:8]
        self._generator = torch.Generator().manual_seed(int.from_bytes(stage_seed) >> 1)
        self._device = device

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Return the next standard normal tensor of this shape, float32."""
        return torch.randn(tuple(shape), generator=self._generator).to(self._device)
