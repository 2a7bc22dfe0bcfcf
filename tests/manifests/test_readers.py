"""What other programs read: pandas, and Hugging Face datasets with the pictures decoded."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.manifest import write_manifest
from manifests.results import Marker, collect, publish_marker, write_part
from manifests.schemas import INDEX
from tests.manifests.rows import candidate, inpainting, png

LEVELS = (10, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    """A finished run of two candidates, grey pictures, one of which ended with stage I."""
    run = RunFolder(tmp_path_factory.mktemp("readers") / "run")
    run.create()
    asked = inpainting(tags=("night",))
    write_manifest([asked], run.manifest)
    small = [png(level, "small.png", side=2) for level in LEVELS]
    rows = [
        candidate(asked.request_id, 0, kind="inpaint", stage_1_image=small[0],
                  image=png(11, "large.png", side=8), embedding=(0.6, 0.8)),
        candidate(asked.request_id, 1, kind="inpaint", stage_1_image=small[1],
                  image=None, stage=1, score=None, embedding=()),
    ]  # fmt: skip
    write_part(run, 0, "a", rows)
    files, keys = collect(run, 0)
    publish_marker(run, Marker(0, "a", files, len(keys)))
    build_index(run)
    return run


def test_pandas_reads_the_index(folder):
    """All columns; a missing score is no number."""
    frame = pd.read_parquet(folder.index)
    assert list(frame.columns) == INDEX.names
    assert frame["candidate"].tolist() == [0, 1]
    assert frame["score"].isna().tolist() == [False, True]
    assert frame.groupby("kind")["score"].max().to_dict() == {"inpaint": 0.25}


def test_pandas_reads_a_part_with_its_pictures(folder):
    """A picture is its PNG file."""
    (part,) = folder.shard(0).iterdir()
    frame = pd.read_parquet(part)
    assert frame["image"][0]["bytes"] == png(11, side=8).bytes
    assert frame["image"][1] is None
    assert frame["embedding"][0].tolist() == pytest.approx([0.6, 0.8])


READ = """
import json, sys
import datasets
from PIL.Image import Image

def told(value):
    is_picture = isinstance(value, Image)
    return [value.size, value.mode, value.getpixel((0, 0))] if is_picture else value

path, cache = sys.argv[1:]
rows = datasets.load_dataset("parquet", data_files=path, cache_dir=cache, split="train")
print(json.dumps([{name: told(value) for name, value in row.items()} for row in rows]))
"""


def load_with_datasets(path, cache) -> list[dict]:
    """Rows as Hugging Face datasets gives them, a picture as its size, mode and first pixel.

    In a process of its own, offline: it must not phone home, and its warnings are its own.
    """
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(cache)],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict] = json.loads(done.stdout.splitlines()[-1])
    return rows


def test_datasets_decodes_the_pictures_of_the_results(folder, tmp_path):
    """As Pillow images, by what the schema says of itself."""
    (part,) = folder.shard(0).iterdir()
    whole, first = load_with_datasets(part, tmp_path)
    assert whole["stage_1_image"] == [[2, 2], "RGB", [10, 10, 10]]
    assert whole["image"] == [[8, 8], "RGB", [11, 11, 11]]
    assert first["stage_1_image"] == [[2, 2], "RGB", [20, 20, 20]]
    assert first["image"] is None
    assert whole["embedding"] == pytest.approx([0.6, 0.8])
    assert (whole["candidate"], whole["status"], first["score"]) == (0, "accepted", None)


def test_datasets_decodes_the_pictures_of_the_manifest(folder, tmp_path):
    """Originals and masks, and the lists of prompts and tags."""
    (row,) = load_with_datasets(folder.manifest, tmp_path)
    assert row["image"] == [[4, 4], "RGB", [9, 9, 9]]
    assert row["mask"][:2] == [[4, 4], "L"]
    assert (row["prompts"], row["tags"]) == (["a cat"], ["night"])
