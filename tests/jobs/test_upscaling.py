"""Picked candidates, and no others, come out four times as wide."""

import io
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jobs.orders import Order, place_order, read_order
from jobs.upscaling import work_order
from jobs.worker import work
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.picks import Pick, save_pick
from manifests.ranking import top
from manifests.upscaled import drawn_for, read_picks, read_upscaled, write_upscaled
from tests.jobs.conftest import SHORT, every_kind
from tests.jobs.test_cli import run
from tests.tiny_upscaler import write_tiny_upscaler

SETTINGS = {"num_inference_steps": 3, "lanes": 3, "device": "cpu"}


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory):
    return str(write_tiny_upscaler(tmp_path_factory.mktemp("upscaler")))


@pytest.fixture
def folder(small_run, tmp_path):
    return RunFolder(shutil.copytree(small_run, tmp_path / "run"))


@pytest.fixture
def picks(folder):
    """The best candidate of each request, and one that never left stage I."""
    best = [(row["request_id"], row["candidate"]) for row in top(folder, 1)]
    small = next(row for row in top(folder, 9) if row["stage"] == 1)
    return (*best, (small["request_id"], small["candidate"]))


def rows(folder):
    return {(row.request_id, row.candidate): row for row in read_upscaled(folder)}


def test_picked_candidates_are_drawn_four_times_as_wide_and_no_others(folder, picks, upscaler):
    """Whatever stage they had come through."""
    number = place_order(folder, Order(picks, upscaler, **SETTINGS))
    assert work_order(str(folder.path), number)
    drawn = rows(folder)
    assert drawn.keys() == set(picks)
    before = {(row["request_id"], row["candidate"]): row["stage"] for row in top(folder, 9)}
    for key, row in drawn.items():
        assert row.error_type is None
        assert row.lanes > 0
        with Image.open(io.BytesIO(row.image.bytes)) as picture:
            assert picture.size == ((128, 128) if before[key] == 2 else (32, 32))


def test_an_order_goes_on_where_it_was_stopped_to_the_same_bits(folder, picks, upscaler):
    """What was written is not drawn again."""
    order = Order(picks, upscaler, **SETTINGS)
    number = place_order(folder, order)
    calls = iter(range(8))
    assert not work_order(str(folder.path), number, lambda: next(calls, None) is None)
    early = {path: path.read_bytes() for path in folder.upscaled.glob("part-*.parquet")}
    assert 0 < len(early) < len(picks)
    assert work_order(str(folder.path), number)
    assert {path: path.read_bytes() for path in early} == early
    assert drawn_for(folder, number) == dict.fromkeys(picks, True)

    other = place_order(folder, Order(picks[:2], upscaler, **SETTINGS))
    assert other == number + 1
    once = {key: row.image for key, row in rows(folder).items() if key in picks[:2]}
    assert work_order(str(folder.path), other)
    again = {key: row.image for key, row in rows(folder).items() if row.order == other}
    assert again == once


def test_the_same_order_is_one_order(folder, picks, upscaler):
    """It has one number, and comes back as it was placed."""
    order = Order(picks, upscaler, **SETTINGS)
    turned = replace(order, picks=picks[::-1])
    assert place_order(folder, order) == place_order(folder, turned) == 0
    assert read_order(folder, 0) == replace(order, picks=tuple(sorted(picks)))


def test_a_pick_that_failed_is_tried_again_and_hides_no_picture(folder, picks, upscaler, tmp_path):
    """Neither in its own order nor in a later one."""
    order = Order(picks[:1], upscaler, **SETTINGS)
    number = place_order(folder, order)
    assert work_order(str(folder.path), number)
    ((key, row),) = rows(folder).items()
    later = place_order(folder, replace(order, noise_level=30))
    failed = replace(row, order=later, image=None, error_type="ValueError", error_message="NaN")
    write_upscaled(folder, later, [failed])
    assert drawn_for(folder, later) == {key: False}

    run("export", folder.path, "-o", tmp_path / "best", "-n", 1)
    best = next((tmp_path / "best").glob(f"{key[0]}*"))
    with Image.open(best) as picture:
        assert picture.size == (128, 128)
    assert work_order(str(folder.path), later)
    assert drawn_for(folder, later) == {key: True}


def test_a_comparison_of_panels_is_not_enlarged(plan):
    """There is no picture in it to draw larger."""
    (asked,) = (each for each in every_kind(**SHORT, candidates=1, want=1, max_candidates=1)
                if each.kind == "denoise")  # fmt: skip
    folder = plan("denoise", [asked])
    assert work(str(folder.path), 0)
    build_index(folder)
    with pytest.raises(ValueError, match="is a comparison of panels; pick a picture instead"):
        place_order(folder, Order(((asked.request_id, 0),)))


def test_a_pick_that_is_no_candidate_is_refused_before_anything_is_written(folder):
    """With where to look."""
    with pytest.raises(ValueError, match=r"no picture of candidate 99 .*fundiff top"):
        place_order(folder, Order((("0" * 16, 99),)))
    assert not folder.upscaled.exists()


def test_picks_come_as_words_and_as_files(tmp_path):
    """Once each, in the order they were given."""
    (tmp_path / "picks.csv").write_text("request_id,candidate,who\nabc,3,me\nabd,0,me\n")
    table = pa.table({"rating": [5], "request_id": ["abe"], "candidate": [7]})
    pq.write_table(table, tmp_path / "picks.parquet")
    words = ["abd:0", str(tmp_path / "picks.csv"), str(tmp_path / "picks.parquet")]
    assert read_picks(words) == [("abd", 0), ("abc", 3), ("abe", 7)]


def test_ratings_say_what_is_a_pick(folder, upscaler):
    """3 and better; what is rated less or crossed out is none, in files and in picks.parquet."""
    with pytest.raises(ValueError, match="nothing is picked; `fundiff curate"):
        place_order(folder, Order(()))
    keys = [(row["request_id"], row["candidate"]) for row in top(folder, 9)][:3]
    for key, rating in zip(keys, (2, 3, None), strict=True):
        save_pick(folder, Pick(*key, rating, rating is None, "me", datetime.now(UTC)))
    assert read_picks([str(folder.picks)]) == [keys[1]]
    csv = folder.path / "ratings.csv"
    rows = zip(keys, ("2,false", "3,false", ",true"), strict=True)
    lines = [f"{request_id},{candidate},{said}" for (request_id, candidate), said in rows]
    csv.write_text("\n".join(["request_id,candidate,rating,rejected", *lines]))
    assert read_picks([str(csv)]) == [keys[1]]
    run(
        "upscale",
        folder.path,
        "--model",
        upscaler,
        "--num-inference-steps",
        2,
        "--cluster",
        "inline",
    )
    assert [(row.request_id, row.candidate) for row in read_upscaled(folder)] == [keys[1]]


@pytest.mark.parametrize("text", ["request,candidate\nabc,3\n", "request_id,candidate\nabc,x\n"])
def test_a_file_without_picks_is_refused(tmp_path, text):
    """With the columns that it needs."""
    (tmp_path / "picks.csv").write_text(text)
    with pytest.raises(ValueError, match="needs the columns request_id and candidate"):
        read_picks([str(tmp_path / "picks.csv")])


def test_the_command_upscales_and_export_writes_what_is_larger(folder, upscaler, tmp_path):
    """One pick in a process of its own; the others stay as large as they were."""
    best = json.loads(run("top", folder.path, "-n", 1, "--json"))
    pick = f"{best[0]['request_id']}:{best[0]['candidate']}"
    words = ["upscale", folder.path, "--picks", pick, "--model", upscaler,
             "--num-inference-steps", 2, "--lanes", 2]  # fmt: skip
    assert "1 pictures" in run(*words)
    assert "1 pictures" in run(*words)
    assert len(list(folder.upscaled.glob("part-*.parquet"))) == 1
    run("export", folder.path, "-o", tmp_path / "best", "-n", 1)
    sizes = {}
    for path in (tmp_path / "best").iterdir():
        with Image.open(path) as picture:
            sizes[path.name[:16]] = picture.size
    assert sizes[best[0]["request_id"]] == (128, 128)
    assert sizes[best[1]["request_id"]] == (32, 32)
    assert "neither REQUEST:CANDIDATE nor" in run("upscale", folder.path, "--picks", "x", code=1)


@pytest.mark.slurm
def test_an_order_is_worked_by_a_real_slurm(slurm_cluster, folder, picks, upscaler, tmp_path):
    """As one job with the profile's resources, to the same bits as in this process."""
    profile = tmp_path / "tiny.toml"
    profile.write_text('partition = "gpu"\nmem_gb = 2\ntimeout_min = 30\n')
    words = ["upscale", folder.path, "--model", upscaler, "--num-inference-steps", 3, "--lanes", 3,
             "--device", "cpu"]  # fmt: skip
    for request_id, candidate in picks:
        words += ["--picks", f"{request_id}:{candidate}"]
    assert "1 failed" not in run(*words, "--cluster", "slurm", "--profile", profile)
    slurm_cluster.wait_for(
        lambda: drawn_for(folder, 0) == dict.fromkeys(picks, True), 120, "the order was worked"
    )
    by_slurm = {key: row.image for key, row in rows(folder).items()}
    other = RunFolder(shutil.copytree(folder.path, tmp_path / "inline"))
    shutil.rmtree(other.upscaled)
    number = place_order(other, Order(picks, upscaler, **SETTINGS))
    assert work_order(str(other.path), number)
    assert {key: row.image for key, row in rows(other).items()} == by_slurm
