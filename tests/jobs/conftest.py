"""A tiny cascade and small runs for the jobs' tests."""

import pytest

from jobs.config import RunConfig
from jobs.embeddings import encode_prompts
from jobs.planning import plan_run
from manifests.layout import RunFolder
from manifests.records import Request
from tests.manifests.rows import inpainting, png, request
from tests.tiny_if import write_tiny_judge

SHORT = {"num_inference_steps": 4, "stage_2_num_inference_steps": 3}


def every_kind(**fields) -> list[Request]:
    """One request of every kind, small."""
    image = png(90, side=16)
    panels = {name: value for name, value in fields.items() if not name.startswith("prune_")}
    return [
        request(**fields),
        request(**fields, kind="generate", prompts=("a skull",), views=("identity",)),
        request(**fields, kind="hybrid", views=("low_pass:8", "high_pass:8"), reduction="sum"),
        inpainting(**fields),
        request(**fields, kind="edit", image=image, strength=0.6),
        request(
            **fields,
            kind="inverse",
            image=image,
            prompts=("a skull",),
            views=("color",),
            keep="grayscale",
        ),
        request(
            **(panels | {"stages": 1}),
            kind="denoise",
            image=image,
            prompts=("a skull",),
            views=("identity",),
            start=1,
        ),
        inpainting(**fields, prompts=("a", "b"), views=("identity", "flip")),
    ]


@pytest.fixture
def requests() -> list[Request]:
    """Requests of several kinds, small."""
    few = {**SHORT, "candidates": 4, "want": 2, "max_candidates": 4}
    return [
        request(**few),
        request(**few, kind="hybrid", views=("low_pass:8", "high_pass:8"), reduction="sum"),
        inpainting(**few),
        request(**few, views=("rotate_90", "negate"), seed=7, negative_prompt="blurry"),
    ]


@pytest.fixture
def plan(tiny_if, tmp_path):
    """Plan a run of these requests in a new folder, prompts encoded."""

    def make(name: str, requests: list[Request], per_shard: int = 2, **settings) -> RunFolder:
        folder = RunFolder(tmp_path / name)
        config = RunConfig(model=str(tiny_if), stage_1_lanes=6, stage_2_lanes=4, **settings)
        plan_run(requests, folder, config, per_shard)
        encode_prompts(str(folder.path))
        return folder

    return make


@pytest.fixture(scope="session")
def other_judge(tmp_path_factory) -> str:
    """Another judge of the tiny cascade's sort, with other weights."""
    return str(write_tiny_judge(tmp_path_factory.mktemp("other") / "judge", seed=9))
