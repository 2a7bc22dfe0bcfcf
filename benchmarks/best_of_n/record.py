"""Draw many candidates of the embedded model's pairs and record what is said of each on its way.

    python benchmarks/best_of_n/record.py -o docs/best-of-n/recorded.parquet

Every candidate goes through both stages, whatever its scores: what the embedded judge says at
several steps of stage I, after it and after stage II, and whether the reader, a classifier that
shares neither fonts nor architecture with the judge and never selects, reads both prompts at the
end. `replay.py` decides over these records as any policy would, without drawing. What lies in
`--parts` is not drawn again, so it may be interrupted.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import multiprocessing
from transformers import AutoImageProcessor, AutoModelForImageClassification

from fundiff.catalogue import MINI
from fundiff.engine import Engine
from fundiff.mini.evaluate import Settings, pairs, read_as
from fundiff.pictures import to_image, to_tensor
from fundiff.view_names import view
from jobs.budget import lanes_of, steps_of
from jobs.config import RunConfig
from jobs.embeddings import encode_prompts
from jobs.jury import Jury, load_jury
from jobs.planning import plan_run
from jobs.recipes import Studio, store_picture
from jobs.worker import open_studio
from manifests.files import write_whole
from manifests.layout import RunFolder
from manifests.records import Request, make_request

GLIMPSES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
"""Shares of stage I's steps after which the expected picture is judged."""

LANES, STAGE_2_LANES = 16, 8
CONFIG = RunConfig(model="mini", dtype="bfloat16")


MOST = 24
"""Candidates that may be drawn of a pair; a part of the request's id, and so of its seeds."""


def requests_of() -> list[Request]:
    """Return a request per pair, anagrams first, with the settings of the demo."""
    return [
        make_request(
            kind=pair.kind,
            prompts=pair.prompts,
            views=pair.views,
            reduction="sum" if pair.kind == "hybrid" else "mean",
            candidates=MOST,
            max_candidates=MOST,
            guidance_scale=5.0,
            stage_2_guidance_scale=1.0,
            stage_2_num_inference_steps=20,
        )
        for pair in pairs(Settings())
    ]


class Reader:
    """Says whether a picture is read as both of its prompts, every subject competing."""

    def __init__(self) -> None:
        folder = MINI / "reader"
        self._model: Any = AutoModelForImageClassification.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self._processor = AutoImageProcessor.from_pretrained(folder)

    def solves(self, request: Request, image: Image.Image) -> bool:
        """Return whether every view of a picture reads as its prompt."""
        seen = [to_image(view(name).read(to_tensor(image))) for name in request.views]
        return read_as(self._model, self._processor, seen) == list(request.prompts)


NAMES = (*(f"glimpse_{share:g}" for share in GLIMPSES), "stage_1", "stage_2")
"""What is drawn of a candidate, in order."""


def draw(request: Request, candidates: int, studio: Studio) -> list[dict[str, Any]]:
    """Draw all candidates of a request through both stages; return their pictures."""
    steps = {round(share * steps_of(request, 1)) - 1: share for share in GLIMPSES}
    drawn: list[dict[str, Any]] = [{"candidate": n} for n in range(candidates)]
    first: Engine[int] = Engine(studio.stages[1], LANES)
    for n in range(candidates):
        first.add(n, studio.draw_stage_1(request, n, frozenset(steps)))
    while not first.idle:
        for done in first.step():
            drawn[done.key]["stage_1"] = to_image(done.picture)
        for paused in first.paused():
            drawn[paused.key][f"glimpse_{steps[paused.step]:g}"] = to_image(paused.picture)
            first.resume(paused.key)
    second: Engine[int] = Engine(studio.stages[2], STAGE_2_LANES)
    for n, row in enumerate(drawn):
        second.add(n, studio.draw_stage_2(request, n, row["stage_1"]))
    while not second.idle:
        for done in second.step():
            drawn[done.key]["stage_2"] = to_image(done.picture)
    for row in drawn:
        row |= {name: store_picture(row[name]).bytes for name in NAMES}
    return drawn


def work(rank: int, folder: Path, asked: Sequence[Request], given: argparse.Namespace) -> None:
    """Draw every n-th request, each to a file of its own."""
    studio = open_studio(RunFolder(folder), CONFIG, asked)
    for request in asked[rank :: given.processes]:
        part = given.parts / f"{request.request_id}.parquet"
        if part.exists():
            continue
        start = time.monotonic()
        table = pa.Table.from_pylist(draw(request, given.candidates, studio))
        write_whole(part, lambda path, table=table: pq.write_table(table, path))
        print(request.prompts, f"{time.monotonic() - start:.0f} s", flush=True)


def judge(
    request: Request, part: Path, candidates: int, jury: Jury, reader: Reader
) -> list[dict[str, Any]]:
    """Return what is said of the pictures of a request, a row per candidate."""
    drawn = pq.read_table(part).to_pylist()[:candidates]
    pictures = {name: [Image.open(io.BytesIO(row[name])) for row in drawn] for name in NAMES}
    said = {
        name: [opinion[0] for opinion in jury.hear(request, pictures[name], True)]
        for name in NAMES
    }
    return [
        {
            "request_id": request.request_id,
            "kind": request.kind,
            "prompts": list(request.prompts),
            "candidate": n,
            "stage_1_lanes": lanes_of(request, 1),
            "stage_2_lanes": lanes_of(request, 2),
            **{name: said[name][n].alignment for name in NAMES},
            "concealment": said["stage_2"][n].concealment,
            "split": said["stage_2"][n].split,
            "near": said["stage_2"][n].near,
            "far": said["stage_2"][n].far,
            "far_shrunk": said["stage_2"][n].far_shrunk,
            "change_distance": said["stage_2"][n].change_distance,
            "solved_stage_1": reader.solves(request, pictures["stage_1"][n]),
            "solved": reader.solves(request, pictures["stage_2"][n]),
        }
        for n in range(len(drawn))
    ]


def main() -> None:
    """Record all pairs and write one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--parts", type=Path, default=Path("build/best-of-n"))
    given = parser.parse_args()
    asked = requests_of()
    given.parts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside:
        run = RunFolder(Path(aside) / "run")
        plan_run(asked, run, CONFIG, len(asked))
        encode_prompts(str(run.path))
        multiprocessing.spawn(work, (run.path, asked, given), nprocs=given.processes)
    jury, reader = load_jury(CONFIG, torch.device("cpu")), Reader()
    rows: list[dict[str, Any]] = []
    for request in asked:
        part = given.parts / f"{request.request_id}.parquet"
        rows += judge(request, part, given.candidates, jury, reader)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), given.output, compression="zstd")


if __name__ == "__main__":
    main()
