"""Train the embedded model: `python -m fundiff.mini.train STEP --build DIR`.

The steps, in order: masks, text, stage-1, stage-2, judge, reader, export, check; `all`
runs the lot.
A step that was interrupted is taken up at its last checkpoint.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from fundiff.mini import loop, masks, networks, text
from fundiff.mini.check import check
from fundiff.mini.export import export
from fundiff.mini.reading import READING_WEIGHTS, Judging, Reading
from fundiff.mini.samples import Sampler
from fundiff.mini.stages import StageOne, StageTwo


def draw_masks(build: Path) -> None:
    """Draw the glyph masks with the installed fonts."""
    masks.save(masks.draw_all(build / "npm" / "node_modules"), build / "masks.npz")


def train_text(build: Path) -> None:
    """Train the text encoder."""
    text.train(build)


def train_stage_1(build: Path) -> None:
    """Train the 32-pixel UNet on both cores."""
    torch.manual_seed(1)
    sampler = Sampler.over(masks.load(build / "masks.npz").of(held_out=False))
    task = StageOne(sampler, text.Prompts.load(build))
    loop.train(networks.stage_1(), task, loop.Plan(58, 2, build / "stage-1.pt"))


def train_stage_2(build: Path) -> None:
    """Train the 128-pixel UNet on both cores."""
    torch.manual_seed(2)
    sampler = Sampler.over(masks.load(build / "masks.npz").of(held_out=False))
    task = StageTwo(sampler, text.Prompts.load(build))
    loop.train(networks.stage_2(), task, loop.Plan(28, 2, build / "stage-2.pt"))


def train_judge(build: Path) -> None:
    """Train the judge on the generator's fonts."""
    torch.manual_seed(3)
    sampler = Sampler.over(masks.load(build / "masks.npz").of(held_out=False), READING_WEIGHTS)
    model = networks.judge(len(networks.judge_processor().tokenizer))
    loop.train(model, Judging.of(sampler), loop.Plan(19, 1, build / "judge.pt"))


def train_reader(build: Path) -> None:
    """Train the independent classifier on the held-out fonts."""
    torch.manual_seed(4)
    sampler = Sampler.over(masks.load(build / "masks.npz").of(held_out=True), READING_WEIGHTS)
    plan = loop.Plan(9, 1, build / "reader.pt", learning_rate=2e-3)
    loop.train(networks.reader(), Reading(sampler), plan)


STEPS: dict[str, Callable[[Path], None]] = {
    "masks": draw_masks,
    "text": train_text,
    "stage-1": train_stage_1,
    "stage-2": train_stage_2,
    "judge": train_judge,
    "reader": train_reader,
    "export": export,
    "check": check,
}


def main() -> None:
    """Run one step, or all of them."""
    parser = argparse.ArgumentParser(description="Train the embedded model.")
    parser.add_argument("step", choices=[*STEPS, "all"])
    parser.add_argument("--build", type=Path, default=Path("build/mini"), help="working folder")
    arguments = parser.parse_args()
    arguments.build.mkdir(parents=True, exist_ok=True)
    for name, step in STEPS.items():
        if arguments.step in (name, "all"):
            step(arguments.build)


if __name__ == "__main__":
    main()
