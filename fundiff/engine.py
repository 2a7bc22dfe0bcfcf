"""Packs the UNet calls of many candidates into one batch of constant shape.

A batch always has the same number of lanes, whatever fills it: calls of different candidates,
kinds and timesteps, and padding at the end. A row's output depends on the batch's shape and not on
the other rows, so a candidate's picture is the same to the bit in any company. On a CPU this holds
with one thread (with more, a matrix product's rows are split unevenly): run one process per core.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fundiff.calls import Calls, Glimpse, Lane, UNetCall

K = TypeVar("K", bound=Hashable)

UNetRows = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""UNet over a batch: samples (L, C, H, W), t (L,), prompt_embeds (L, tokens, width),
noise_level (L,) or None -> (L, 2C', H, W)."""


@dataclass(frozen=True, slots=True)
class Finished(Generic[K]):
    """A candidate that left the engine.

    Attributes:
        key: What it was added under.
        picture: (C, H, W), or None if its algorithm raised.
        lanes: UNet lanes that it cost.
        error: What its algorithm raised.
    """

    key: K
    picture: Tensor | None
    lanes: int
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Paused(Generic[K]):
    """A candidate that waits to be resumed or dropped.

    Attributes:
        key: What it was added under.
        picture: What it expects to become, (C, H, W).
        step: The estimate that this follows from, counted from 0.
        lanes: UNet lanes that it cost so far.
        error: None; it is under way.
    """

    key: K
    picture: Tensor
    step: int
    lanes: int
    error: None = None


@dataclass(slots=True)
class _InFlight(Generic[K]):
    key: K
    calls: Calls[Tensor]
    call: UNetCall
    outputs: list[Tensor | None] = field(default_factory=list)
    missing: int = 0
    lanes: int = 0


class Engine(Generic[K]):
    """Keeps one stage's batch full of the lanes that pending candidates ask for."""

    def __init__(self, unet: UNetRows, lanes: int) -> None:
        if lanes < 1:
            raise ValueError(f"lanes is {lanes}; an engine needs at least 1")
        self.lanes = lanes
        self.unet_calls = 0
        self.padded_lanes = 0
        self._unet = unet
        self._backlog: deque[tuple[K, Calls[Tensor]]] = deque()
        self._queue: deque[tuple[_InFlight[K], int]] = deque()
        self._waiting: dict[K, _InFlight[K]] = {}
        self._paused: list[Paused[K]] = []
        self._ended: list[Finished[K]] = []

    def fill(self) -> bool:
        """Start candidates until the next batch is full; return whether it is."""
        while self._backlog and len(self._queue) < self.lanes:
            self._advance(_InFlight(*self._backlog.popleft(), call=UNetCall((), 0)), None)
        return len(self._queue) >= self.lanes

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do and nothing to hand back; who waits does not count."""
        return not (self._backlog or self._queue or self._ended or self._paused)

    def add(self, key: K, calls: Calls[Tensor]) -> None:
        """Take in a candidate: the algorithm that draws it, which starts when there is room."""
        self._backlog.append((key, calls))

    def paused(self) -> list[Paused[K]]:
        """Return who paused since this was last asked."""
        paused, self._paused = self._paused, []
        return paused

    def waits(self, key: K) -> bool:
        """Return whether a candidate waits to be resumed or dropped."""
        return key in self._waiting

    def resume(self, key: K) -> None:
        """Let a candidate that waits go on from where it paused."""
        self._advance(self._waiting.pop(key), [])

    def drop(self, key: K) -> None:
        """Let go of a candidate that waits."""
        self._waiting.pop(key).calls.close()

    @torch.inference_mode()
    def step(self) -> list[Finished[K]]:
        """Run the UNet once on the lanes that waited longest; return who finished by it."""
        self.fill()
        batch = [self._queue.popleft() for _ in range(min(self.lanes, len(self._queue)))]
        if batch:
            for (flight, row), output in zip(batch, self._run(batch), strict=False):
                flight.outputs[row] = output
                flight.missing -= 1
                if flight.missing == 0:
                    self._advance(flight, flight.outputs)
        ended, self._ended = self._ended, []
        return ended

    def _run(self, batch: list[tuple[_InFlight[K], int]]) -> Tensor:
        calls = [flight.call for flight, _ in batch]
        lanes: list[Lane] = [flight.call.lanes[row] for flight, row in batch]
        padding = self.lanes - len(batch)
        calls += [calls[0]] * padding
        lanes += [lanes[0]] * padding
        self.unet_calls += 1
        self.padded_lanes += padding

        samples = torch.stack([lane.sample for lane in lanes])
        prompt_embeds = torch.stack([lane.prompt_embeds for lane in lanes])
        t = torch.tensor([call.t for call in calls], device=samples.device)
        levels = [call.noise_level for call in calls if call.noise_level is not None]
        noise_level = torch.tensor(levels, device=samples.device) if levels else None
        return self._unet(samples, t, prompt_embeds, noise_level)

    @torch.inference_mode()
    def _advance(self, flight: _InFlight[K], outputs: list[Tensor | None] | None) -> None:
        """Send an algorithm its rows; queue what it asks for next, or note its end."""
        try:
            call = next(flight.calls) if outputs is None else flight.calls.send(outputs)  # type: ignore[arg-type]
        except StopIteration as end:
            self._ended.append(Finished(flight.key, end.value, flight.lanes))
        except Exception as error:  # a candidate's failure is a row, not the end of the shard
            self._ended.append(Finished(flight.key, None, flight.lanes, error))
        else:
            if isinstance(call, Glimpse):
                self._waiting[flight.key] = flight
                paused = Paused(flight.key, call.picture, call.step, flight.lanes)
                self._paused.append(paused)
                return
            flight.call = call
            flight.outputs = [None] * len(call.lanes)
            flight.missing = len(call.lanes)
            flight.lanes += len(call.lanes)
            self._queue.extend((flight, row) for row in range(len(call.lanes)))
