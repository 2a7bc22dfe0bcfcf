"""One picture of a run, drawn again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from jobs.cli import main
from jobs.config import RunConfig
from jobs.embeddings import encode_prompts
from jobs.pictures import image_of
from jobs.planning import plan_run
from jobs.recipes import store_picture
from jobs.rerunning import compare, rerun
from jobs.worker import work
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.records import Candidate
from manifests.results import parts, read_rows
from manifests.schemas import RESULTS
from manifests.tables import write_table
from tests.jobs.conftest import SHORT, every_kind
from tests.jobs.finished import finished
from tests.manifests.rows import candidate, request


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["rerun", *(str(word) for word in words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tiny_if) -> RunFolder:
    """A run of every kind, one of them pruned half-way; 16 lanes and 1, which give other bits."""
    few = {**SHORT, "candidates": 4, "want": 1, "max_candidates": 4}
    requests = every_kind(**few)
    requests.append(request(**few, prompts=("a", "b"), prune_at=0.5, prune_keep=0.5))
    folder = RunFolder(tmp_path_factory.mktemp("rerun") / "run")
    config = RunConfig(str(tiny_if), stage_1_lanes=16, stage_2_lanes=1, seed=5)
    plan_run(requests, folder, config, len(requests))
    encode_prompts(str(folder.path))
    assert work(str(folder.path), 0)
    build_index(folder)
    return folder


def rows_of(folder: RunFolder) -> list[Candidate]:
    return list(read_rows(parts(folder, 0)))


def of_stage(folder: RunFolder, stage: int) -> Candidate:
    return next(row for row in rows_of(folder) if row.stage == stage and row.kind == "anagram")


def test_every_kind_is_drawn_again_to_the_bit(drawn):
    """The best of each request, and one that came through stage I alone; a pruned request too."""
    rows = rows_of(drawn)
    seen = []
    for request_id in {row.request_id for row in rows}:
        for stage in (1, 2):
            own = [row for row in rows if row.request_id == request_id and row.stage == stage]
            for row in own[:1]:
                again = rerun(drawn, request_id, row.candidate)
                assert again.agrees, row
                assert [each.stage for each in again.comparisons] == [1, 2][:stage]
                stored = row.image if stage == 2 else row.stage_1_image
                assert stored is not None
                assert again.picture.tobytes() == image_of(stored.bytes).tobytes()
                seen.append((row.kind, stage))
    kinds = {"anagram", "generate", "hybrid", "inpaint", "edit", "inverse"}
    assert set(seen) == {(kind, stage) for kind in kinds for stage in (1, 2)} | {("denoise", 1)}


def test_the_command_says_that_the_bits_agree_and_writes_the_picture(drawn, tmp_path):
    """Exit code 0; a request's id may be as short as it is its own."""
    row = of_stage(drawn, 2)
    ids = {each.request_id for each in rows_of(drawn)} - {row.request_id}
    short = next(
        row.request_id[:n] for n in range(1, 17)
        if not any(each.startswith(row.request_id[:n]) for each in ids)
    )  # fmt: skip
    said = run(drawn.path, "--request", short, "--candidate", row.candidate, "-o",
               tmp_path / "picture.png")  # fmt: skip
    assert said.splitlines() == [
        "stage I: the same to the bit (64 pixels)",
        "stage II: the same to the bit (1,024 pixels)",
    ]
    with Image.open(tmp_path / "picture.png") as picture:
        assert row.image is not None
        assert picture.tobytes() == image_of(row.image.bytes).tobytes()


def changed(picture: Image.Image, by: int) -> Image.Image:
    """The picture with one channel of one pixel, and another pixel by less, of another colour."""
    pixels = np.array(picture)
    pixels[1, 2, 0] = pixels[1, 2, 0] + by if pixels[1, 2, 0] < 128 else pixels[1, 2, 0] - by
    pixels[3, 3] = np.where(pixels[3, 3] < 128, pixels[3, 3] + 1, pixels[3, 3] - 1)
    return Image.fromarray(pixels)


def test_a_picture_that_differs_is_told_with_pixels_and_levels(drawn, tmp_path):
    """Stage by stage: stage II starts from the stored first picture. Exit code 1."""
    copy = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    row = of_stage(copy, 2)
    assert row.image is not None
    other = store_picture(changed(image_of(row.image.bytes), 9))
    (part,) = parts(copy, 0)
    rows = [replace(each, image=other) if each == row else each for each in rows_of(copy)]
    write_table(rows, RESULTS, part)
    said = run(copy.path, "--request", row.request_id, "--candidate", row.candidate, code=1)
    assert "stage I: the same to the bit" in said
    assert "stage II: 2 of 1,024 pixels differ, by at most 9 of 255" in said
    assert "drawn on cpu in float32" in said
    data = json.loads(
        run(copy.path, "--request", row.request_id, "--candidate", row.candidate, "--json", code=1)
    )
    assert data == {
        "request_id": row.request_id,
        "candidate": row.candidate,
        "agrees": False,
        "stages": [
            {"stage": 1, "pixels": 64, "differing": 0, "largest": 0},
            {"stage": 2, "pixels": 1024, "differing": 2, "largest": 9},
        ],
    }


def test_pixels_are_compared_and_not_the_bytes_of_a_file(drawn, tmp_path):
    """Another encoder of the same picture changes nothing."""
    copy = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    row = of_stage(copy, 1)
    assert row.stage_1_image is not None
    image_of(row.stage_1_image.bytes).save(tmp_path / "x.png", compress_level=0)
    other = replace(row.stage_1_image, bytes=(tmp_path / "x.png").read_bytes())
    assert other != row.stage_1_image
    (part,) = parts(copy, 0)
    rows = [replace(each, stage_1_image=other) if each == row else each for each in rows_of(copy)]
    write_table(rows, RESULTS, part)
    assert rerun(copy, row.request_id, row.candidate).agrees


def test_the_runs_own_seed_is_drawn_with(drawn, tmp_path):
    """A run.json of another seed gives another picture."""
    copy = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    config = json.loads(copy.run_json.read_text())
    copy.run_json.write_text(json.dumps(config | {"seed": 6}))
    row = of_stage(copy, 1)
    (comparison,) = rerun(copy, row.request_id, row.candidate).comparisons
    assert comparison.differing > 0.9 * comparison.pixels


def test_embeddings_that_were_removed_are_made_again_if_told(drawn, tmp_path):
    """Without --encode one line says so, and nothing is written."""
    copy = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    row = of_stage(copy, 1)
    words = [copy.path, "--request", row.request_id, "--candidate", row.candidate]
    (copy.embeddings / "prompts.safetensors").unlink()
    said = run(*words, code=1)
    assert "has no prompts.safetensors" in said
    assert "give --encode" in said
    assert len(said.strip().splitlines()) == 1
    assert "the same to the bit" in run(*words, "--encode")
    assert "the same to the bit" in run(*words)
    shutil.rmtree(copy.embeddings)
    assert "has no prompts.json" in run(*words, code=1)
    assert "the same to the bit" in run(*words, "--encode")


def test_a_manifest_that_was_changed_is_refused(drawn, tmp_path):
    """It is not what the pictures were drawn from."""
    copy = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    row = of_stage(copy, 1)
    copy.manifest.write_bytes(copy.manifest.read_bytes() + b"x")
    said = run(copy.path, "--request", row.request_id, "--candidate", row.candidate, code=1)
    assert "is not the manifest that this run was planned with" in said


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> RunFolder:
    """Seventeen requests, so two begin with the same digit; the first failed, the last is open."""
    requests = [request(prompts=("a skull", f"a rocket ship {n}")) for n in range(17)]
    rows = [
        candidate(requests[0].request_id, n, status="failed", reason="failed in stage 1", stage=0,
                  error_type="ValueError", error_message="no", image=None, stage_1_image=None)
        for n in range(3)
    ]  # fmt: skip
    rows += [candidate(each.request_id) for each in requests[1:-1]]
    return finished(tmp_path_factory.mktemp("written") / "run", requests, rows)


def test_what_there_is_not_is_said_in_one_line(written, tmp_path):
    """A request, a candidate, a picture, an index."""
    ids = [row.request_id for row in rows_of(written)]
    failed, first = ids[0], ids[3]
    open_ = (set(_manifest_ids(written)) - set(ids)).pop()
    digits = [name[0] for name in _manifest_ids(written)]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    bare = RunFolder(shutil.copytree(written.path, tmp_path / "bare"))
    bare.index.unlink()
    for folder, request_id, number, words in (
        (written, "nope", 0, "begins with 'nope'; `fundiff top"),
        (written, "", 0, "begins with ''"),
        (written, twice, 0, f"{digits.count(twice)} requests of"),
        (written, first, 7, f"request {first} has no candidate 7; it has candidates 0 to 0"),
        (written, open_, 0, "it has none so far"),
        (written, failed, 1, "has no picture to compare with: failed, failed in stage 1"),
        (bare, first, 0, "has no index yet; run `fundiff index"),
    ):
        said = run(folder.path, "--request", request_id, "--candidate", number, code=1)
        assert words in said
        assert len(said.strip().splitlines()) == 1


def _manifest_ids(folder: RunFolder) -> list[str]:
    from manifests.manifest import read_manifest

    return [each.request_id for each in read_manifest(folder.manifest)]


def test_a_picture_of_another_size_is_another_models():
    """Not a number of pixels."""
    small, large = Image.new("RGB", (8, 8)), Image.new("RGB", (16, 8))
    with pytest.raises(ValueError, match="stage II draws 8x8 px now, and drew 16x8 px then"):
        compare(2, small, large)


def test_a_difference_has_no_sign():
    """0 and 255 are 255 apart, not -1."""
    black, white = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2), "white")
    for pair in ((black, white), (white, black)):
        assert (compare(1, *pair).differing, compare(1, *pair).largest) == (4, 255)


def test_a_request_is_needed(tmp_path: Path, written):
    """And its candidate: usage, exit code 2."""
    assert "Missing option '--request'" in run(written.path, "--candidate", 0, code=2)
    assert "Missing option '--candidate'" in run(written.path, "--request", "a", code=2)


def test_what_was_expected_of_a_pruned_candidate_is_drawn_again_too(drawn, tmp_path):
    """As far as it came, to the bit; a glimpse that was changed is found out."""
    pruned = of_stage(drawn, 0)
    (compared,) = rerun(drawn, pruned.request_id, pruned.candidate).comparisons
    assert (compared.stage, compared.pixels, compared.differing) == (0, 64, 0)
    asked = ["--request", pruned.request_id, "--candidate", pruned.candidate]
    said = run(drawn.path, *asked)
    assert said.startswith("what stage I expected when it was pruned: the same to the bit")
    other = RunFolder(shutil.copytree(drawn.path, tmp_path / "run"))
    white = store_picture(Image.new("RGB", (8, 8), "white"))
    changed = [
        replace(row, glimpse_image=white) if row == pruned else row for row in rows_of(other)
    ]
    write_table(changed, RESULTS, parts(other, 0)[0])
    assert "of 64 pixels differ" in run(other.path, *asked, code=1)
