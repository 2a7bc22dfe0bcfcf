"""One schema per table, with a description on every field."""

import json
from typing import Any

import pyarrow as pa

from manifests.kinds import KINDS

SCHEMA_VERSION = "3"

PICTURE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


def _field(name: str, type_: Any, description: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable, {"description": description})


def _schema(table: str, fields: list[pa.Field]) -> pa.Schema:
    """Return a schema that names its table and version, and its pictures to HF datasets."""
    metadata = {"fundiff_table": table, "schema_version": SCHEMA_VERSION}
    if any(field.type == PICTURE for field in fields):
        features = {field.name: _feature(field.type) for field in fields}
        metadata["huggingface"] = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata)


def _feature(type_: pa.DataType) -> dict[str, Any]:
    if type_ == PICTURE:
        return {"_type": "Image"}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "List"}
    names = {pa.float64(): "float64", pa.float32(): "float32"}
    return {"dtype": names.get(type_, str(type_)), "_type": "Value"}


MANIFEST = _schema(
    "manifest",
    [
        _field("request_id", pa.string(), "Hash of everything that decides the pictures"),
        _field("kind", pa.string(), ", ".join(KINDS)),
        _field("prompts", pa.list_(pa.string()), "What each view is to show"),
        _field("views", pa.list_(pa.string()), "How the picture is read, one per prompt"),
        _field("style", pa.string(), "Words that go before every prompt"),
        _field("negative_prompt", pa.string(), "What guidance points away from"),
        _field("image", PICTURE, "What the picture starts from or keeps a part of", nullable=True),
        _field("mask", PICTURE, "Of an inpainting; white = repaint", nullable=True),
        _field("keep", pa.string(), "Of an inverse problem: the image's component"),
        _field("candidates", pa.int32(), "Candidates per round"),
        _field("want", pa.int32(), "Accepted candidates to stop at"),
        _field("finalists", pa.int32(), "Best of a round that go on to stage II", nullable=True),
        _field(
            "accept", pa.float64(), "Least final score of an accepted candidate", nullable=True
        ),
        _field(
            "accept_rank", pa.int32(), "Accepted are the request's best so many", nullable=True
        ),
        _field("prune_at", pa.float64(), "Share of stage I at which to prune", nullable=True),
        _field("prune_keep", pa.float64(), "Share of a round that is not pruned", nullable=True),
        _field("max_split", pa.float64(), "Veto above this lead of two halves", nullable=True),
        _field("max_candidates", pa.int32(), "Candidates of all rounds together"),
        _field("guidance_scale", pa.float64(), "In stage I; 1 means off"),
        _field("num_inference_steps", pa.int32(), "In stage I"),
        _field("stage_2_guidance_scale", pa.float64(), "In stage II; 1 means off"),
        _field("stage_2_num_inference_steps", pa.int32(), "In stage II"),
        _field("noise_level", pa.int32(), "Noise on stage II's low-res conditioning, 0 to 999"),
        _field("timesteps", pa.string(), "Stage I's list, empty for even ones"),
        _field("stage_2_timesteps", pa.string(), "Stage II's list, empty for even ones"),
        _field("guidance_start", pa.float64(), "Share of the timesteps before guidance sets in"),
        _field("guidance_stop", pa.float64(), "Share of the timesteps after which it ends"),
        _field("sampler", pa.string(), "Steps of the reverse process"),
        _field("reduction", pa.string(), "How the views' estimates are combined"),
        _field("start", pa.int32(), "Edit: index into stage I's timesteps", nullable=True),
        _field("strength", pa.float64(), "Edit: share of the timesteps walked", nullable=True),
        _field("mask_blur", pa.float64(), "Inpainting: sigma of the mask's edge, pixels of 64"),
        _field("jump_length", pa.int32(), "Inpainting: timesteps of a stretch walked again"),
        _field("jump_n_sample", pa.int32(), "Inpainting: how often each stretch is walked"),
        _field("stages", pa.int32(), "2, or 1 to end with stage I"),
        _field("seed", pa.int64(), "Goes before the run's seed", nullable=True),
        _field("tags", pa.list_(pa.string()), "For finding and filtering; they decide nothing"),
    ],
)

PLAN = _schema(
    "plan",
    [
        _field("shard", pa.int32(), "Number of the shard, from 0"),
        _field("start", pa.int64(), "First row of the frozen manifest"),
        _field("stop", pa.int64(), "Row after the last one"),
    ],
)

_SCORES = [
    _field("score", pa.float64(), "The first judge's last number", nullable=True),
    _field("mean_rank", pa.float64(), "By all judges that select, 1 is best", nullable=True),
    _field("held_out", pa.float64(), "The held-out judge's last number", nullable=True),
    _field("glimpse_score", pa.float64(), "Its number half-way through stage I", nullable=True),
    _field("stage_1_score", pa.float64(), "Its number after stage I", nullable=True),
    _field("alignment", pa.float64(), "Worst view's fit to its own prompt", nullable=True),
    _field("concealment", pa.float64(), "How well each view hides the others", nullable=True),
    _field("near", pa.float64(), "Hybrid: fit of the near reading", nullable=True),
    _field("far", pa.float64(), "Hybrid: fit of the far reading, blurred", nullable=True),
    _field("far_shrunk", pa.float64(), "Hybrid: likewise, shrunk instead", nullable=True),
    _field("change_distance", pa.float64(), "Hybrid: blur at which it changes", nullable=True),
    _field("split", pa.float64(), "Lead of two halves over the whole picture", nullable=True),
    _field("source_distance", pa.float64(), "Edit: how far it went, 0 to 2", nullable=True),
    _field("seam", pa.float64(), "Inpainting: gradient at the border by beside", nullable=True),
    _field("kept_error", pa.float64(), "Distance from what is kept, 8-bit levels", nullable=True),
]

_SCORE = {field.name: field for field in _SCORES}

_IDENTITY = [
    _field("request_id", pa.string(), "The request"),
    _field("candidate", pa.int32(), "Number of the try, from 0"),
    _field("kind", pa.string(), "Of the request"),
    _field("status", pa.string(), "accepted, kept, rejected or failed; drawn in drafts"),
    _field("reason", pa.string(), "Why it stopped; empty if accepted"),
    _field("stage", pa.int8(), "The last stage that it has a picture of; 0 if none"),
    _field("seed", pa.int64(), "Of its noise"),
]

_COST = [
    _field("stage_1_lanes", pa.int32(), "UNet lanes that stage I cost"),
    _field("stage_2_lanes", pa.int32(), "UNet lanes that stage II cost"),
]

RESULTS = _schema(
    "results",
    [
        *_IDENTITY,
        *_SCORES,
        _field("stage_1_similarities", pa.list_(pa.float64()), "View x prompt, after stage I"),
        _field("similarities", pa.list_(pa.float64()), "View x prompt, after the last stage"),
        _field("judge_scores", pa.list_(pa.float64()), "Last numbers of all the run's judges"),
        _field("embedding", pa.list_(pa.float32()), "The first judge's, of the last picture"),
        *_COST,
        _field("glimpse_image", PICTURE, "What stage I expected half-way, PNG", nullable=True),
        _field("stage_1_image", PICTURE, "Stage I's picture, PNG", nullable=True),
        _field("image", PICTURE, "Stage II's picture, PNG", nullable=True),
        _field("error_type", pa.string(), "Class of the error that ended it", nullable=True),
        _field("error_message", pa.string(), "Its message", nullable=True),
        _field("shard", pa.int32(), "That drew it"),
        _field("attempt", pa.string(), "Execution of the shard that wrote the row"),
        _field("model", pa.string(), "The stages' names and revisions"),
        _field("code_version", pa.string(), "Of fundiff"),
    ],
)

INDEX = _schema(
    "index",
    [
        *_IDENTITY,
        *_SCORES,
        *_COST,
        _field("error_type", pa.string(), "Class of the error that ended it", nullable=True),
        _field("shard", pa.int32(), "That drew it"),
        _field("part", pa.string(), "File below the run folder that has the pictures"),
        _field("row", pa.int32(), "Row of that file"),
    ],
)

SCORES = _schema(
    "scores",
    [
        _field("request_id", pa.string(), "The request"),
        _field("candidate", pa.int32(), "Number of the try, from 0"),
        _field("stage", pa.int8(), "Of the picture that was scored"),
        _field("score", pa.float64(), "This judge's number"),
        *[
            _SCORE[name]
            for name in (
                "concealment",
                "near",
                "far",
                "far_shrunk",
                "change_distance",
                "split",
                "source_distance",
            )
        ],
        _field("similarities", pa.list_(pa.float64()), "View x prompt"),
        _field("judge", pa.string(), "Hub id or folder of the judge"),
    ],
)

UPSCALED = _schema(
    "upscaled",
    [
        _field("request_id", pa.string(), "The request"),
        _field("candidate", pa.int32(), "Number of the try, from 0"),
        _field("order", pa.int32(), "Number of the order that it was drawn for"),
        _field("seed", pa.int64(), "Of its noise"),
        _field("lanes", pa.int32(), "UNet lanes that it cost"),
        _field("image", PICTURE, "Stage III's picture, PNG", nullable=True),
        _field("error_type", pa.string(), "Class of the error that ended it", nullable=True),
        _field("error_message", pa.string(), "Its message", nullable=True),
        _field("model", pa.string(), "The upscaler's name and revision"),
        _field("code_version", pa.string(), "Of fundiff"),
    ],
)

PICKS = _schema(
    "picks",
    [
        _field("request_id", pa.string(), "The request"),
        _field("candidate", pa.int32(), "Number of the try, from 0"),
        _field("rating", pa.int8(), "1 to 5", nullable=True),
        _field("rejected", pa.bool_(), "Whether it was crossed out"),
        _field("who", pa.string(), "User name of the one who said so"),
        _field("at", pa.timestamp("us", tz="UTC"), "When"),
    ],
)
