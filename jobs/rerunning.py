"""One picture of a run, drawn again from its frozen manifest and held against the stored one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from jobs.best_of_n import GLIMPSE
from jobs.config import RunConfig
from jobs.pictures import image_of
from manifests.files import read_json, sha256_file, write_whole
from manifests.index import load_columns, load_pictures, require_index
from manifests.layout import RunFolder
from manifests.manifest import read_requests
from manifests.records import Request
from manifests.schemas import MANIFEST
from manifests.tables import read_rows

if TYPE_CHECKING:
    from jobs.recipes import Studio


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a stage's picture, drawn again, differs from the stored one.

    Attributes:
        stage: 1, 2, or `GLIMPSE` for what stage I expected of a candidate that was pruned.
        pixels: Of the picture.
        differing: Pixels of another colour.
        largest: Largest difference of a channel, in 8-bit levels.
    """

    stage: int
    pixels: int
    differing: int
    largest: int

    @property
    def name(self) -> str:
        """What was compared, in words."""
        return _name(self.stage)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of drawing a picture again.

    Attributes:
        request_id: The request, in full.
        candidate: The candidate.
        device: It was drawn on.
        dtype: Of the networks.
        comparisons: One per stage that has a stored picture.
        picture: Of the last of these stages, drawn again.
    """

    request_id: str
    candidate: int
    device: str
    dtype: str
    comparisons: tuple[Comparison, ...]
    picture: Image.Image

    @property
    def agrees(self) -> bool:
        """Whether every pixel is the stored one."""
        return not any(comparison.differing for comparison in self.comparisons)


def rerun(folder: RunFolder, request_id: str, candidate: int, encode: bool = False) -> Rerun:
    """Draw a picture again with the run's own settings, and compare it with the stored one.

    Stage II starts from the stored picture of stage I, as it did in the run, so each stage is
    compared by itself. What stage III made of it is not drawn.

    Args:
        folder: A run with an index.
        request_id: The request, or a beginning that no other has.
        candidate: Its candidate.
        encode: Whether to encode the run's prompts if what they were encoded to was removed;
            this loads the text encoder.

    Raises:
        ValueError: If there is no such picture, or the run's manifest or embeddings are not those
            that it was drawn with.
    """
    config = RunConfig.from_json(read_json(folder.run_json))
    if sha256_file(folder.manifest) != config.manifest_sha256:
        raise ValueError(
            f"{folder.manifest} is not the manifest that this run was planned with; "
            "put that one back"
        )
    request = _find_request(folder, request_id)
    stored = _stored_pictures(folder, request.request_id, candidate)

    _require_embeddings(folder, encode)

    from jobs.worker import open_studio

    studio = open_studio(folder, config, [request])
    lanes = {
        GLIMPSE: config.stage_1_lanes,
        1: config.stage_1_lanes,
        2: config.stage_2_lanes,
    }
    drawn = dict(_draw(studio, lanes, request, candidate, stored))
    stage = studio.stages[1]
    return Rerun(
        request.request_id,
        candidate,
        str(stage.device),
        str(stage.unet.dtype).removeprefix("torch."),
        tuple(compare(number, image, stored[number]) for number, image in drawn.items()),
        drawn[max(drawn)],
    )


def _name(stage: int) -> str:
    return (
        "what stage I expected when it was pruned" if stage == GLIMPSE else f"stage {'I' * stage}"
    )


def compare(stage: int, drawn: Image.Image, stored: Image.Image) -> Comparison:
    """Return how two pictures of a size differ, pixel by pixel."""
    a, b = (np.asarray(image.convert("RGB"), np.int16) for image in (drawn, stored))
    if a.shape != b.shape:
        raise ValueError(
            f"{_name(stage)} draws {drawn.width}x{drawn.height} px now, and drew "
            f"{stored.width}x{stored.height} px then; its model is another"
        )
    apart = np.abs(a - b).max(axis=2)
    return Comparison(stage, apart.size, int(np.count_nonzero(apart)), int(apart.max()))


def _draw(
    studio: "Studio",
    lanes: dict[int, int],
    request: Request,
    candidate: int,
    stored: dict[int, Image.Image],
) -> Iterator[tuple[int, Image.Image]]:
    """Yield the stages that have a stored picture, and what is drawn in them now."""
    from fundiff.engine import Engine
    from fundiff.pictures import to_image

    for stage in stored:
        engine: Engine[int] = Engine(studio.stages[max(stage, 1)], lanes[stage])
        calls = studio.draw(request, candidate, stage, stored.get(1))
        engine.add(candidate, calls)
        while not engine.idle:
            for paused in engine.paused():
                engine.drop(candidate)
                yield stage, to_image(paused.picture)
            for finished in engine.step():
                if finished.error is not None or finished.picture is None:
                    raise ValueError(
                        f"{_name(stage)} failed now, and did not then: {finished.error}"
                    ) from finished.error
                yield stage, to_image(finished.picture)


def _find_request(folder: RunFolder, request_id: str) -> Request:
    """Return the request that an id, or the beginning of one, stands for."""
    ids = read_rows(folder.manifest, MANIFEST, ["request_id"])["request_id"].to_pylist()
    found = [number for number, name in enumerate(ids) if name.startswith(request_id)]
    if not found or not request_id:
        raise ValueError(
            f"no request of {folder.path} begins with {request_id!r}; "
            f"`fundiff top {folder.path}` lists them"
        )
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} requests of {folder.path} begin with {request_id!r}; "
            "give more of the id"
        )
    return read_requests(folder.manifest, found[0], found[0] + 1)[0]


def _stored_pictures(folder: RunFolder, request_id: str, candidate: int) -> dict[int, Image.Image]:
    """Return a candidate's pictures by stage."""
    require_index(folder)
    rows: list[dict[str, Any]] = pq.read_table(
        folder.index,
        columns=["candidate", "stage", "status", "reason", "part", "row"],
        filters=[("request_id", "==", request_id)],
    ).to_pylist()
    row = next((row for row in rows if row["candidate"] == candidate), None)
    if row is None:
        there = f"candidates 0 to {max(r['candidate'] for r in rows)}" if rows else "none so far"
        raise ValueError(f"request {request_id} has no candidate {candidate}; it has {there}")
    if not row["stage"]:
        glimpse = load_columns(folder, row["part"], row["row"], ["glimpse_image"])["glimpse_image"]
        if glimpse is not None:
            return {GLIMPSE: image_of(glimpse["bytes"]).convert("RGB")}
        raise ValueError(
            f"candidate {candidate} of request {request_id} has no picture to compare with: "
            f"{row['status']}, {row['reason']}; choose another"
        )
    pictures = load_pictures(folder, row["part"], row["row"])
    found = enumerate(pictures, start=1)
    return {stage: image_of(png).convert("RGB") for stage, png in found if png is not None}


def _require_embeddings(folder: RunFolder, encode: bool) -> None:
    """See to it that the prompts are encoded."""
    from jobs.embeddings import TABLE, TENSORS, encode_prompts

    missing = [name for name in (TABLE, TENSORS) if not (folder.embeddings / name).is_file()]
    if not missing:
        return
    if not encode:
        raise ValueError(
            f"{folder.embeddings} has no {missing[0]}, what the prompts were encoded to; "
            "put the folder back, or give --encode to encode them again"
        )
    (folder.embeddings / TABLE).unlink(missing_ok=True)  # it says that the rest is there
    encode_prompts(str(folder.path))


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whole or not at all."""
    write_whole(path, lambda hidden: image.save(hidden, format="PNG"))
