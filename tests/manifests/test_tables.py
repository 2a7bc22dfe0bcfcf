"""Records, schemas and Parquet files agree, and a file is whole or refused."""

import dataclasses
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from manifests import schemas
from manifests.manifest import (
    count_requests,
    prompts_of,
    read_manifest,
    read_requests,
    write_manifest,
)
from manifests.plan import PlannedShard, read_plan, write_plan
from manifests.records import Candidate, Picture, Request
from tests.manifests.rows import inpainting, noise, png, request

TABLES = [schemas.MANIFEST, schemas.PLAN, schemas.RESULTS, schemas.INDEX]


@pytest.mark.parametrize(
    ("record", "schema"),
    [
        (Request, schemas.MANIFEST),
        (PlannedShard, schemas.PLAN),
        (Candidate, schemas.RESULTS),
    ],
)
def test_a_record_has_the_fields_of_its_schema_in_order(record, schema):
    """One cannot change without the other."""
    assert [field.name for field in dataclasses.fields(record)] == schema.names


def test_a_field_may_be_null_exactly_where_the_record_says_none():
    """The types are held together too."""
    for record, schema in ((Request, schemas.MANIFEST), (Candidate, schemas.RESULTS)):
        for field in dataclasses.fields(record):
            assert schema.field(field.name).nullable == ("None" in str(field.type)), field.name


@pytest.mark.parametrize("schema", TABLES, ids=lambda s: s.metadata[b"fundiff_table"].decode())
def test_every_column_has_a_description(schema):
    """Who opens the file elsewhere can read what it holds."""
    for field in schema:
        assert field.metadata[b"description"], field.name


def test_a_manifest_comes_back_as_it_was(tmp_path):
    """Pictures, nulls, tuples and text beyond ASCII."""
    requests = [
        request(),
        request(prompts=("ein Schädel", "火"), style="un dessin", tags=("a", "b"), accept=0.3),
        inpainting(seed=2**63 - 1),
    ]
    write_manifest(requests, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet") == requests
    assert count_requests(tmp_path / "m.parquet") == 3
    assert prompts_of(tmp_path / "m.parquet") == [
        "a skull",
        "a rocket ship",
        "",
        "un dessin ein Schädel",
        "un dessin 火",
        "a cat",
    ]


def test_a_range_of_rows_is_read_without_the_rest(tmp_path, monkeypatch):
    """Row groups that do not hold it are not touched, and the ends are right."""
    monkeypatch.setattr("manifests.tables.ROW_GROUP_BYTES", 500)
    requests = [inpainting(prompts=(f"cat {n}",)) for n in range(10)]
    path = tmp_path / "m.parquet"
    write_manifest(requests, path)
    assert pq.read_metadata(path).num_row_groups > 1
    for start, stop in ((0, 10), (0, 1), (3, 7), (9, 10), (4, 4)):
        assert read_requests(path, start, stop) == requests[start:stop]


def test_the_same_requests_give_the_same_bytes(tmp_path):
    """So that a hash tells whether a manifest changed."""
    for name in ("a.parquet", "b.parquet"):
        write_manifest([request()], tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_request_id_covers_what_decides_the_pictures_and_nothing_else():
    """Tags and file names change nothing, everything else does."""
    base = request()
    assert request(tags=("new",)).request_id == base.request_id
    named = [inpainting(image=png(1, name)).request_id for name in ("a.png", "b.png")]
    assert named[0] == named[1] != inpainting(image=png(2)).request_id
    assert inpainting(mask=png(3)).request_id != inpainting(mask=png(4)).request_id
    changed = {
        "prompts": ("a skull", "a rocket"),
        "views": ("identity", "mirror"),
        "style": "an oil painting of",
        "negative_prompt": "blurry",
        "candidates": 8,
        "want": 1,
        "accept": 0.3,
        "max_candidates": 32,
        "guidance_scale": 8.0,
        "num_inference_steps": 50,
        "stage_2_guidance_scale": 3.0,
        "stage_2_num_inference_steps": 20,
        "noise_level": 100,
        "reduction": "alternate",
        "timesteps": "smart27",
        "stage_2_timesteps": "stride:50",
        "guidance_start": 0.1,
        "guidance_stop": 0.9,
        "sampler": "ddim",
        "stages": 1,
        "seed": 0,
    }
    assert request(guidance_start=-0.0).request_id == base.request_id
    ids = {request(**{name: value}).request_id for name, value in changed.items()}
    assert len(ids | {base.request_id}) == len(changed) + 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "anagramm"}, "choose from generate, anagram, hybrid, inpaint, edit, inverse"),
        ({"views": ("flip",)}, "one view per prompt"),
        ({"reduction": "median"}, "choose from mean, sum, alternate"),
        ({"candidates": 0}, "choose 1 to"),
        ({"noise_level": 1000}, "choose 0 to 999"),
        ({"guidance_scale": float("nan")}, "choose 1 to"),
        ({"max_candidates": 3}, "below candidates"),
        ({"kind": "generate"}, "has 2 prompts; give 1 prompt"),
        ({"kind": "inpaint"}, "needs image"),
        ({"kind": "hybrid"}, "components are summed, choose sum"),
        ({"sampler": "euler"}, "choose from ddpm, ddim"),
        ({"strength": 0.5}, "takes no strength; leave it out, or use edit or denoise"),
        ({"jump_length": 5, "jump_n_sample": 2}, "takes no jump_length"),
        ({"guidance_start": 1.0}, "is not before guidance_stop"),
        ({"timesteps": "fast28"}, "choose from fast27"),
        ({"stages": 3}, "choose 1 to 2"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(fields, words):
    """Whoever makes the record learns what is allowed."""
    with pytest.raises(ValueError, match=words):
        request(**fields)


def test_a_null_where_none_may_be_is_refused(tmp_path):
    """Left to itself, pyarrow would write it."""
    with pytest.raises(ValueError, match="'style' holds null"):
        write_manifest([dataclasses.replace(request(), style=None)], tmp_path / "m.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_manifest_is_refused_in_one_line(tmp_path):
    """Torn, foreign, of another table or of another version."""
    path = tmp_path / "m.parquet"
    write_manifest([request()], path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="no whole Parquet file"):
        read_manifest(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no whole Parquet file"):
        read_manifest(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match="not a fundiff manifest; make one with"):
        read_manifest(path)
    write_plan([PlannedShard(0, 0, 1)], path)
    with pytest.raises(ValueError, match="not a fundiff manifest"):
        read_manifest(path)
    old = schemas.MANIFEST.with_metadata({b"fundiff_table": b"manifest", b"schema_version": b"0"})
    pq.write_table(schemas.MANIFEST.empty_table().cast(old), path)
    with pytest.raises(ValueError, match="schema_version 0, this fundiff reads 3"):
        read_manifest(path)


def test_a_plan_comes_back_as_it_was(tmp_path):
    """Shards and their rows."""
    plan = [PlannedShard(0, 0, 4), PlannedShard(1, 4, 7)]
    write_plan(plan, tmp_path / "plan.parquet")
    assert read_plan(tmp_path / "plan.parquet") == plan


def test_the_files_tell_hugging_face_datasets_which_columns_are_pictures():
    """The metadata that its viewer reads."""
    import json

    for schema, columns in (
        (schemas.MANIFEST, {"image", "mask"}),
        (schemas.RESULTS, {"stage_1_image", "image", "glimpse_image"}),
    ):
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        assert list(features) == schema.names
        assert {n for n, f in features.items() if f == {"_type": "Image"}} == columns


def test_no_row_group_holds_more_pictures_than_the_bound(tmp_path, monkeypatch):
    """Wherever the large ones lie: the average of the table does not decide."""
    monkeypatch.setattr("manifests.tables.ROW_GROUP_BYTES", 10_000)
    rows = [request(seed=n) for n in range(50)]
    rows += [inpainting(image=Picture(noise(3000, n), "x.png")) for n in range(10)]
    write_manifest(rows, tmp_path / "m.parquet")
    metadata = pq.read_metadata(tmp_path / "m.parquet")
    with pq.ParquetFile(tmp_path / "m.parquet") as file:
        for group in range(metadata.num_row_groups):
            table = file.read_row_group(group, columns=["image", "mask"])
            pictures = table["image"].to_pylist() + table["mask"].to_pylist()
            assert sum(len(picture["bytes"]) for picture in pictures if picture) <= 10_000
    assert metadata.num_row_groups <= 6
    assert read_manifest(tmp_path / "m.parquet") == rows


def test_a_torn_middle_is_refused_in_one_line(tmp_path):
    """The footer is whole, the data is not."""
    path = tmp_path / "m.parquet"
    write_manifest([request()], path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(400) + whole[404:])
    with pytest.raises(ValueError, match="no whole Parquet file") as error:
        read_manifest(path)
    assert "\n" not in str(error.value)


def test_a_file_with_other_columns_is_refused(tmp_path):
    """Of the right table and version, but made by other code."""
    schema = schemas.PLAN.append(pa.field("priority", pa.int32()))
    pq.write_table(schema.empty_table(), tmp_path / "plan.parquet")
    with pytest.raises(ValueError, match="has other columns than a fundiff plan"):
        read_plan(tmp_path / "plan.parquet")


def test_another_png_encoder_gives_the_same_request():
    """The id counts pixels, so a manifest built on another machine has the same ids."""
    image = Image.new("RGB", (4, 4), "red")
    encoded = []
    for level in (0, 9):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=level)
        encoded.append(buffer.getvalue())
    assert encoded[0] != encoded[1]
    ids = {inpainting(image=Picture(data)).request_id for data in encoded}
    assert len(ids) == 1


def test_picture_columns_are_stored_as_they_are(tmp_path):
    """A PNG does not shrink, so it is not compressed again; row groups stay readable."""
    write_manifest([inpainting()], tmp_path / "m.parquet")
    group = pq.read_metadata(tmp_path / "m.parquet").row_group(0)
    codecs = {
        group.column(i).path_in_schema: group.column(i).compression
        for i in range(group.num_columns)
    }
    assert codecs["image.bytes"] == codecs["mask.bytes"] == "UNCOMPRESSED"
    assert codecs["prompts.list.element"] == "ZSTD"
    pictures = [group.column(i) for i in range(group.num_columns)]
    pictures = [column for column in pictures if column.path_in_schema.endswith(".bytes")]
    assert len(pictures) == 2
    assert all(set(column.encodings) == {"RLE", "PLAIN"} for column in pictures)
    assert all(column.has_offset_index for column in pictures)
