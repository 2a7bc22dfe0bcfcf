"""The training loop: one or more processes of one thread on shared weights, for a given time.

Each process draws its own batches, keeps its own optimizer and writes its updates into the shared
weights without a lock (Hogwild, Niu et al., 2011, arXiv:1106.5730): on a busy machine that beats
both waiting for each other and two threads in one process.
"""

import copy
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Generator, Tensor, multiprocessing, nn

SAVE_EVERY_S = 120
LOG_EVERY_S = 20
WARM_UP_STEPS = 100


def autocast() -> torch.autocast:
    """Return the context for a network in training; pictures are drawn outside, in float32."""
    return torch.autocast("cpu", torch.bfloat16)


class Task(Protocol):
    """What is learnt: gives the loss of a batch that it draws itself."""

    def loss(self, model: nn.Module, generator: Generator) -> Tensor:
        """Return the loss of one fresh batch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and where: minutes in all, processes, the checkpoint's file, learning rates."""

    minutes: float
    processes: int
    path: Path
    learning_rate: float = 1e-3
    last_learning_rate: float = 5e-5
    average: float = 0.998

    def rate(self, elapsed_s: float) -> float:
        """Return the learning rate after a time: half a cosine from the first to the last."""
        share = min(1.0, elapsed_s / (60 * self.minutes))
        wave = 0.5 * (1 + math.cos(math.pi * share))
        return self.last_learning_rate + (self.learning_rate - self.last_learning_rate) * wave


def train(model: nn.Module, task: Task, plan: Plan) -> nn.Module:
    """Train a model until its minutes are used up and return it with the averaged weights.

    A checkpoint at plan.path, written every two minutes, is taken up where it stopped; the
    optimizers' moments start anew.
    """
    average, elapsed_s = copy.deepcopy(model), 0.0
    if plan.path.exists():
        checkpoint = torch.load(plan.path, weights_only=True)
        model.load_state_dict(checkpoint["model"])
        average.load_state_dict(checkpoint["average"])
        elapsed_s = checkpoint["elapsed_s"]
    if elapsed_s < 60 * plan.minutes:
        model = model.to(memory_format=torch.channels_last).share_memory()  # type: ignore[call-overload]
        average = average.share_memory()
        arguments = (model, average, task, plan, elapsed_s)
        multiprocessing.spawn(_work, arguments, nprocs=plan.processes)
    return average.to(memory_format=torch.contiguous_format)  # type: ignore[no-any-return,call-overload]


def _work(
    rank: int, model: nn.Module, average: nn.Module, task: Task, plan: Plan, elapsed_s: float
) -> None:
    """Train in one process; the first one also averages, logs and saves."""
    torch.set_num_threads(1)
    generator = Generator().manual_seed(1000 * int(elapsed_s) + rank)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=0.01)
    start = time.monotonic() - elapsed_s
    saved = logged = elapsed_s
    losses: list[float] = []
    step = 0
    while elapsed_s < 60 * plan.minutes:
        warm = min(1.0, (step + 1) / WARM_UP_STEPS)
        for group in optimizer.param_groups:
            group["lr"] = warm * plan.rate(elapsed_s)
        loss = task.loss(model, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if nn.utils.clip_grad_norm_(parameters, 1.0).isfinite():
            optimizer.step()
        step += 1
        elapsed_s = time.monotonic() - start
        if rank > 0:
            continue
        _move(average, model, 1 - min(plan.average, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if elapsed_s - logged > LOG_EVERY_S:
            logged = elapsed_s
            mean = sum(losses) / len(losses)
            print(
                f"{plan.path.stem} {elapsed_s / 60:.1f} min, step {step}, loss {mean:.4f}",
                flush=True,
            )
            losses = []
        if elapsed_s - saved > SAVE_EVERY_S:
            saved = elapsed_s
            _save(model, average, elapsed_s, plan.path)
    if rank == 0:
        _save(model, average, elapsed_s, plan.path)


@torch.no_grad()
def _move(average: nn.Module, model: nn.Module, share: float) -> None:
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        old.lerp_(new, share)
    for held, current in zip(average.buffers(), model.buffers(), strict=True):
        held.copy_(current)


def _save(model: nn.Module, average: nn.Module, elapsed_s: float, path: Path) -> None:
    partial = path.with_suffix(".tmp")
    state = {
        "model": model.state_dict(),
        "average": average.state_dict(),
        "elapsed_s": elapsed_s,
    }
    torch.save(state, partial)
    os.replace(partial, path)  # noqa: PTH105 - the atomic one
