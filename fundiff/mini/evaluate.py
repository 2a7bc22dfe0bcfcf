"""Measure the embedded model on the fixed pairs: `python -m fundiff.mini.evaluate`.

Every pair gets 16 candidates of stage I, drawn by the library itself. The judge ranks them by
alignment; the reader, which shares neither fonts nor architecture with it, says how many are read
as both prompts, where every subject of the vocabulary competes.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor, multiprocessing
from transformers import AutoImageProcessor, AutoModelForImageClassification

from fundiff.canvas import Canvas
from fundiff.cascade import Recipe, draw
from fundiff.engine import Engine
from fundiff.guidance import Prompts
from fundiff.judges import Judge, load_judge
from fundiff.mini.export import WEIGHTS
from fundiff.mini.pairs import HYBRIDS, ROTATE_90, ROTATE_180
from fundiff.models import Stage, load_stage, load_text_encoder
from fundiff.noise import Noise, candidate_seed
from fundiff.pictures import to_image
from fundiff.prompts import encode
from fundiff.schedule import leading
from fundiff.scores import alignment
from fundiff.view_names import view

LANES = 16


@dataclass(frozen=True, slots=True)
class Pair:
    """Two prompts and the views they are read through."""

    kind: str
    views: tuple[str, str]
    prompts: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the candidates are drawn."""

    candidates: int = 16
    steps: int = 30
    anagram_guidance: float = 5.0
    hybrid_guidance: float = 5.0
    sigma: float = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one pair: share of candidates read as both, and whether the best one is."""

    pair: Pair
    solved_share: float
    best_solved: bool
    best: int
    best_readings: tuple[str, str]


def pairs(settings: Settings) -> list[Pair]:
    """Return the fixed list: anagrams by both turns, then hybrids."""
    bands = (f"low_pass:{settings.sigma:g}", f"high_pass:{settings.sigma:g}")
    return [
        *(Pair("anagram", ("identity", "rotate_180"), prompts) for prompts in ROTATE_180),
        *(Pair("anagram", ("identity", "rotate_90"), prompts) for prompts in ROTATE_90),
        *(Pair("hybrid", bands, prompts) for prompts in HYBRIDS),
    ]


def sample(
    stage: Stage, embeddings: dict[str, Tensor], chosen: Sequence[Pair], settings: Settings
) -> dict[tuple[int, int], Tensor]:
    """Return stage I's pictures by (pair, candidate)."""
    engine: Engine[tuple[int, int]] = Engine(stage, LANES)
    shape = (3, stage.size, stage.size)
    for index, pair in enumerate(chosen):
        guidance = getattr(settings, f"{pair.kind}_guidance")
        conditions = tuple(embeddings[prompt] for prompt in pair.prompts)
        recipe = Recipe(
            pair.kind,
            tuple(view(name) for name in pair.views),
            Prompts(conditions, embeddings[""], guidance),
        )
        for candidate in range(settings.candidates):
            noise = Noise(candidate_seed(0, "/".join(pair.prompts), candidate), 1)
            canvas = Canvas(shape, leading(settings.steps), stage.schedule, noise)
            engine.add((index, candidate), draw(recipe, canvas))
    drawn = {}
    while not engine.idle:
        for finished in engine.step():
            if finished.error is not None:
                raise finished.error
            assert finished.picture is not None
            drawn[finished.key] = finished.picture
    return drawn


def read_as(reader: Any, processor: Any, images: Sequence[Image.Image]) -> list[str]:
    """Return the prompt that the reader finds most likely for each image."""
    with torch.inference_mode():
        pixels = processor(images=list(images), return_tensors="pt").pixel_values
        best = reader(pixels).logits.argmax(1).tolist()
    return [reader.config.id2label[i] for i in best]


def measure(pair: Pair, pictures: Sequence[Tensor], judge: Judge, read: Any) -> Row:
    """Return the row of one pair from all of its candidates."""
    seen = [[view(name).read(x) for name in pair.views] for x in pictures]
    texts = judge.text_embeds(pair.prompts)
    alignments = [alignment(judge.image_embeds(shown) @ texts.T) for shown in seen]
    flat = read([to_image(reading) for shown in seen for reading in shown])
    readings = list(zip(flat[::2], flat[1::2], strict=True))
    solved = [reading == pair.prompts for reading in readings]
    best = max(range(len(alignments)), key=alignments.__getitem__)
    return Row(pair, sum(solved) / len(solved), solved[best], best, readings[best])


def _work(rank: int, processes: int, weights: Path, settings: Settings, folder: Path) -> None:
    torch.set_num_threads(1)
    device = torch.device("cpu")
    chosen = pairs(settings)[rank::processes]
    tokenizer, encoder = load_text_encoder(str(weights / "stage-1"), device, torch.float32)
    texts = [prompt for pair in chosen for prompt in pair.prompts]
    embeddings = encode(["", *texts], tokenizer, encoder)
    stage = load_stage(str(weights / "stage-1"), device, torch.bfloat16)
    drawn = sample(stage, embeddings, chosen, settings)
    judge = load_judge(str(weights / "judge"), device)
    reader = AutoModelForImageClassification.from_pretrained(
        weights / "reader", dtype=torch.float32
    ).eval()
    processor = AutoImageProcessor.from_pretrained(weights / "reader")
    results = []
    for index, pair in enumerate(chosen):
        pictures = [drawn[index, candidate] for candidate in range(settings.candidates)]
        row = measure(pair, pictures, judge, lambda images: read_as(reader, processor, images))
        results.append((index * processes + rank, row, torch.stack(pictures)))
    torch.save(results, folder / f"part-{rank}.pt")


def evaluate(
    weights: Path, settings: Settings, processes: int, folder: Path
) -> tuple[list[Row], list[Tensor]]:
    """Return a row and the pictures of every pair, in the order of the list."""
    folder.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(_work, (processes, weights, settings, folder), nprocs=processes)
    parts = [folder / f"part-{rank}.pt" for rank in range(processes)]
    results = [result for part in parts for result in torch.load(part, weights_only=False)]
    for part in parts:
        part.unlink()
    results.sort(key=lambda result: result[0])
    return [row for _, row, _ in results], [pictures for _, _, pictures in results]


def sheet(rows: Sequence[Row], drawn: Sequence[Tensor], zoom: int = 2) -> Image.Image:
    """Return all candidates, a line per pair, each as it stands above its second reading."""
    size = drawn[0].shape[-1] * zoom
    label, high = 250, 2 * size + 6
    canvas = Image.new("RGB", (label + len(drawn[0]) * (size + 2), len(rows) * high), "white")
    pen = ImageDraw.Draw(canvas)
    for line, (row, pictures) in enumerate(zip(rows, drawn, strict=True)):
        first, second = row.pair.views
        if row.pair.kind == "hybrid":
            first, second = second, first
        words = (*row.pair.prompts, f"{row.solved_share:.2f} best {row.best} {row.best_solved}")
        pen.multiline_text((4, line * high + 8), "\n".join(words), "black")
        for column, x in enumerate(pictures):
            for half, name in enumerate((first, second)):
                image = to_image(view(name).read(x)).resize((size, size), Image.Resampling.BICUBIC)
                canvas.paste(image, (label + column * (size + 2), line * high + half * (size + 1)))
        left = label + row.best * (size + 2)
        colour = "green" if row.best_solved else "red"
        pen.rectangle((left - 1, line * high, left + size, line * high + 2 * size), outline=colour)
    return canvas


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return, per kind, the share of candidates and of pairs' best candidates read as both."""
    figures = {}
    for kind in ("anagram", "hybrid"):
        of = [row for row in rows if row.pair.kind == kind]
        figures[kind] = {
            "pairs": len(of),
            "candidates_read_as_both": round(sum(row.solved_share for row in of) / len(of), 3),
            "best_read_as_both": round(sum(row.best_solved for row in of) / len(of), 3),
        }
    return figures


def main() -> None:
    """Draw, measure, print, and write report.json and sheet.png."""
    default = Settings()
    parser = argparse.ArgumentParser(description="Measure the embedded model.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, default=Path("build/mini/evaluation"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--candidates", type=int, default=default.candidates)
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--anagram-guidance", type=float, default=default.anagram_guidance)
    parser.add_argument("--hybrid-guidance", type=float, default=default.hybrid_guidance)
    parser.add_argument("--sigma", type=float, default=default.sigma, help="in pixels of 64")
    given = parser.parse_args()
    settings = Settings(
        given.candidates, given.steps, given.anagram_guidance, given.hybrid_guidance, given.sigma
    )

    start = time.monotonic()
    rows, drawn = evaluate(given.weights, settings, given.processes, given.out)
    for row in rows:
        read = " | ".join(row.best_readings)
        print(f"{row.solved_share:5.2f} {row.best_solved!s:5} {row.pair.prompts}: {read}")
    report = {"settings": asdict(settings), "summary": summary(rows)}
    print(json.dumps(report), f"{time.monotonic() - start:.0f} s")
    text = json.dumps({**report, "rows": [asdict(row) for row in rows]}, indent=1)
    (given.out / "report.json").write_text(text + "\n")
    sheet(rows, drawn).save(given.out / "sheet.png")


if __name__ == "__main__":
    main()
