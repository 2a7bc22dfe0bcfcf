"""Train the embedded model: `python -m fundiff.mini.train STEP --build DIR`.

The steps, in order: masks, text, stage-1, stage-2, judge, reader, export; `all` runs the lot.
A step that was interrupted is taken up at its last checkpoint.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from fundiff.mini import loop, masks, networks, text
from fundiff.mini.samples import Sampler
from fundiff.mini.stages import StageOne


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


STEPS: dict[str, Callable[[Path], None]] = {
    "masks": draw_masks,
    "text": train_text,
    "stage-1": train_stage_1,
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
