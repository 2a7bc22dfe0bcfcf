"""Judges are tried on controls that were drawn by the same path as everything."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fundiff.judges import load_judge
from fundiff.models import choose_device
from fundiff.pictures import square
from jobs.calibration.calibrating import Trial, calibrate
from jobs.calibration.calibration import read_calibration
from jobs.calibration.controls import choose, controls_in
from jobs.calibration.exhibits import DRAWN, gather, scores_of
from jobs.calibration.ratings import Opinion, read_ratings
from jobs.config import RunConfig
from jobs.judging import judge_pictures
from jobs.launching import Launch, launch
from jobs.pictures import image_of
from jobs.recipes import open_picture
from manifests.files import read_json
from manifests.index import same_rows
from manifests.layout import RunFolder
from manifests.manifest import read_manifest, requests_by_id, write_manifest
from manifests.results import markers, read_rows
from manifests.schemas import PICKS
from tests.jobs.conftest import SHORT
from tests.jobs.test_cli import run
from tests.manifests.rows import inpainting, png, request

ROOT = Path(__file__).resolve().parents[2]
FEW = {**SHORT, "candidates": 3, "want": 1, "max_candidates": 3}
HYBRID = {"kind": "hybrid", "views": ("low_pass:8", "high_pass:8"), "reduction": "sum"}
REQUESTS = [
    request(**FEW),
    request(**FEW, prompts=("a cat", "a dog"), views=("rotate_90", "negate"), accept=1.0),
    request(**FEW, **HYBRID, stages=1),
    request(**FEW, **HYBRID, prompts=("a hat", "a cup"), finalists=2),
    inpainting(**FEW),
    request(**FEW, kind="edit", image=png(90, side=16), strength=0.6),
    request(**FEW, kind="generate", prompts=("a hut",), views=("identity",)),
]
KEYS = [each.request_id for each in REQUESTS]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tiny_if):
    """A run with its controls, and what came of calibrating on it."""
    aside = tmp_path_factory.mktemp("calibration")
    write_manifest(REQUESTS, aside / "manifest.parquet")
    asked = Launch(
        aside / "manifest.parquet", aside / "run", "inline", str(tiny_if), seed=5, lanes=6,
        stage_2_lanes=4,
    )  # fmt: skip
    launch(asked, lambda _: None)
    trial = Trial(aside / "run", candidates=2, cluster="inline")
    return RunFolder(aside / "run"), calibrate(trial, lambda _: None)


def candidates(folder):
    """Every row of a run's results."""
    paths = [folder.shard(m.shard) / file.name for m in markers(folder) for file in m.files]
    return {(row.request_id, row.candidate): row for row in read_rows(paths)}


def exhibits_of(folder, rated=()):
    requests = requests_by_id(folder.manifest)
    controls = controls_in(read_manifest(RunFolder(folder.controls).manifest))
    return gather(folder, requests, choose(requests.values(), 16), controls, rated)


def test_controls_are_drawn_by_the_settings_of_their_run_and_all_to_the_end(drawn):
    """Models, seed, lanes and device are the run's; no candidate was dropped on the way."""
    folder, _ = drawn
    ours, theirs = (
        RunConfig.from_json(read_json(each.run_json))
        for each in (folder, RunFolder(folder.controls))
    )
    for name in ("model", "stage_2", "judges", "seed", "stage_1_lanes", "stage_2_lanes", "device"):
        assert getattr(ours, name) == getattr(theirs, name), name
    asked = requests_by_id(RunFolder(folder.controls).manifest)
    rows = candidates(RunFolder(folder.controls))
    assert Counter(request_id for request_id, _ in rows) == {
        request_id: each.candidates for request_id, each in asked.items()
    }
    assert all(row.stage == asked[row.request_id].stages for row in rows.values())
    assert {c.original for c in controls_in(asked.values())} == set(KEYS[:4])


def test_a_second_call_draws_nothing_and_says_the_same(drawn):
    """Every file of the controls stays as it was."""
    folder, before = drawn
    files = {path: path.stat().st_mtime_ns for path in folder.controls.rglob("part-*.parquet")}
    for candidates in (None, 2):
        again = calibrate(
            Trial(folder.path, candidates=candidates, cluster="inline"), lambda _: None
        )
        assert again.judges == before.judges
    after = {path: path.stat().st_mtime_ns for path in folder.controls.rglob("part-*.parquet")}
    assert after == files


def test_controls_that_were_stopped_are_drawn_to_the_end(drawn, tmp_path):
    """What is missing is drawn, to the same bits."""
    folder, before = drawn
    copy = RunFolder(shutil.copytree(folder.path, tmp_path / "run"))
    controls = RunFolder(copy.controls)
    controls.done(1).unlink()
    shutil.rmtree(controls.shard(1))
    controls.index.unlink()
    assert calibrate(Trial(copy.path, cluster="inline"), lambda _: None).judges == before.judges
    assert same_rows(controls.index, RunFolder(folder.controls).index)


@pytest.mark.parametrize("asked", [{"candidates": 3}, {"requests": 1}])
def test_other_controls_than_those_of_before_are_refused(drawn, asked):
    """They would be another run; the line says what to do."""
    folder, _ = drawn
    with pytest.raises(ValueError, match=r"for 4 requests .* leave both out, or remove that"):
        calibrate(Trial(folder.path, **asked, cluster="inline"), lambda _: None)


def test_controls_of_another_run_are_refused(drawn, small_run, tmp_path):
    """Somebody copied the folder."""
    folder, _ = drawn
    copy = shutil.copytree(small_run, tmp_path / "run")
    shutil.copytree(folder.controls, copy / "controls")
    with pytest.raises(ValueError, match="holds controls of another run; remove that folder"):
        calibrate(Trial(copy, cluster="inline"), lambda _: None)


def test_exhibits_are_every_candidates_pictures_of_both_stages(drawn):
    """All of stage I, also of those that went no further; of stage II those that did."""
    folder, _ = drawn
    counts = Counter(
        (KEYS.index(each.request_id), each.sort, each.stage, each.is_last)
        for each in exhibits_of(folder)
    )
    anagrams = {
        (n, sort, stage, stage == 2): number
        for n in (0, 1)
        for sort, numbers in (
            (DRAWN, (3, 1)),
            ("other_prompts", (3, 1)),
            ("one_prompt", (2, 2)),
            ("shuffled_views", (2, 2)),
        )
        for stage, number in enumerate(numbers, start=1)
    }
    assert counts == anagrams | {
        (2, DRAWN, 1, True): 3,
        (2, "one_prompt", 1, True): 2,
        (2, "wrong_sigma", 1, True): 2,
        (2, "other_prompts", 1, True): 3,
        (2, "other_prompts", 2, False): 2,
        (3, DRAWN, 1, False): 3,
        (3, DRAWN, 2, True): 2,
        (3, "one_prompt", 1, False): 2,
        (3, "one_prompt", 2, True): 2,
        (3, "wrong_sigma", 1, False): 2,
        (3, "wrong_sigma", 2, True): 2,
        (3, "other_prompts", 1, False): 3,
        **{
            (n, sort, stage, stage == 2): number
            for n in (4, 5)
            for sort, numbers in ((DRAWN, (3, 1)), ("unchanged", (1, 1)))
            for stage, number in enumerate(numbers, start=1)
        },
        (6, DRAWN, 1, False): 3,
        (6, DRAWN, 2, True): 1,
    }


def test_exhibits_are_the_pictures_that_were_stored(drawn):
    """Of the run, of its controls, and of the image that an inpainting starts from."""
    folder, _ = drawn
    rows = candidates(folder) | candidates(RunFolder(folder.controls))
    for each in exhibits_of(folder):
        if each.sort == "unchanged":
            image = open_picture(REQUESTS[KEYS.index(each.request_id)].image)
            original = square(image, {1: 8, 2: 32}[each.stage])
            assert np.array_equal(np.array(image_of(each.png)), np.array(original))
            continue
        row = rows[each.key]
        assert each.png == (row.stage_1_image, row.image)[each.stage - 1].bytes
        assert (each.sort == DRAWN) == (each.source == each.request_id)


def test_candidates_score_as_they_did_when_they_were_drawn(drawn):
    """By the same judge, after each stage."""
    folder, _ = drawn
    requests = requests_by_id(folder.manifest)
    (judge,) = RunConfig.from_json(read_json(folder.run_json)).selecting
    exhibits = exhibits_of(folder)
    scores = scores_of(judge, None, requests, exhibits)
    rows, seen = candidates(folder), 0
    for each, score in zip(exhibits, scores, strict=True):
        if each.sort == DRAWN:
            row = rows[each.key]
            assert score == (row.alignment if each.is_last else row.stage_1_score)
            seen += 1
    assert seen == 7 * 3 + 7  # a second picture of one each, two of request 3, none of request 2


def test_controls_are_scored_against_what_they_are_controls_for(drawn):
    """With the original's views and prompts, not those that they were drawn for."""
    folder, _ = drawn
    requests = requests_by_id(folder.manifest)
    (name,) = RunConfig.from_json(read_json(folder.run_json)).selecting
    judge = load_judge(name, choose_device(None))
    exhibits = [each for each in exhibits_of(folder) if each.sort != DRAWN]
    scores = scores_of(name, None, requests, exhibits)
    for each, score in zip(exhibits, scores, strict=True):
        original = requests[each.request_id]
        texts = judge.text_embeds(original.full_prompts)
        (said,) = judge_pictures(judge, texts, original, [image_of(each.png)], thorough=False)
        assert score == said.alignment


def test_rated_candidates_are_shown_whatever_their_number(tmp_path, plan):
    """Of candidates that nobody spoke about the first sixteen are."""
    from jobs.worker import work
    from manifests.records import make_request

    many = {"num_inference_steps": 2, "stages": 1, "candidates": 20, "want": 1}
    each = make_request(kind="generate", prompts=("a hut",), views=("identity",),
                        max_candidates=20, **many)  # fmt: skip
    folder = plan("run", [each])
    assert work(str(folder.path), 0)
    for rated in ((), [(each.request_id, 18)]):
        found = gather(folder, {each.request_id: each}, [each], [], rated)
        numbers = [*range(16), *(number for _, number in rated)]
        assert sorted(exhibit.candidate for exhibit in found) == numbers


def test_several_judges_are_set_side_by_side(drawn, tiny_if, tmp_path, monkeypatch):
    """A copy of a judge ranks exactly alike; what is written comes back."""
    folder, before = drawn
    copy = shutil.copytree(tiny_if / "judge", tmp_path / "copy")
    monkeypatch.chdir(tmp_path)  # a folder is known by its absolute path, as in run.json
    said = run("calibrate", folder.path, "--cluster", "inline", "--judge", tiny_if / "judge",
               "--judge", "copy", "-o", tmp_path / "both.json")  # fmt: skip
    found = read_calibration(tmp_path / "both.json")
    first, second = found.judges
    assert found.judges[first] == found.judges[second] == next(iter(before.judges.values()))
    (pair,) = found.agreement
    assert pair.judges == (first, second) == (str(tiny_if / "judge"), str(copy))
    assert pair.spearman.value == pytest.approx(1)
    assert "cannot tell: only 2 requests have controls, 10 of a kind are needed" in said
    assert "rank alike with rho 1.00" in said
    assert "a judge that selects must not be the only one that reports" in said
    bars = found.bars(first)
    assert bars.keys() == {"anagram", "hybrid", "inpaint", "edit"}
    assert f"accept {bars['anagram']:.4f}: 0 of 10 controls, of 2 requests, reach it" in said
    assert "no bar: it has no controls" in said  # a plain picture without another


def test_the_command_writes_beside_the_run_and_prints_data_alone(drawn):
    """The same data."""
    folder, before = drawn
    printed = json.loads(run("calibrate", folder.path, "--cluster", "inline", "--json"))
    assert printed == read_json(folder.path / "calibration.json")
    assert read_calibration(folder.path / "calibration.json").judges == before.judges


def test_a_run_without_results_is_refused(plan):
    """In one line."""
    folder = plan("empty", [request(kind="generate", prompts=("a",), views=("identity",))])
    said = run("calibrate", folder.path, "--cluster", "inline", code=1)
    assert said.count("\n") == 1
    assert "no finished shard to learn from; draw the run first" in said


def write_picks(path, rows):
    """A table of picks as the gallery writes it."""
    columns = ("request_id", "candidate", "rating", "rejected")
    plain = {"who": "me", "at": datetime(2025, 1, 2, tzinfo=UTC)}
    data = [plain | dict(zip(columns, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(data, PICKS), path)
    return path


def test_picks_beside_the_run_are_read(drawn, tmp_path):
    """What people liked is set against what they did not; others may be given instead."""
    folder, _ = drawn
    copy = RunFolder(shutil.copytree(folder.path, tmp_path / "run"))
    rows = candidates(copy)
    best, other = sorted(
        (n for n in range(3) if rows[KEYS[3], n].stage == 2),
        key=lambda n: -rows[KEYS[3], n].alignment,
    )
    write_picks(copy.picks, [(KEYS[3], best, 5, False), (KEYS[3], other, None, True)])
    (kinds,) = calibrate(Trial(copy.path, cluster="inline"), lambda _: None).judges.values()
    assert (kinds["hybrid"].auc_of_picks.value, kinds["hybrid"].auc_of_picks.requests) == (1, 1)
    assert kinds["anagram"].auc_of_picks is None
    turned = tmp_path / "picks.csv"
    turned.write_text(f"request_id,candidate,rating\n{KEYS[3]},{best},1\n{KEYS[3]},{other},4\n")
    trial = Trial(copy.path, picks=turned, cluster="inline")
    (kinds,) = calibrate(trial, lambda _: None).judges.values()
    assert kinds["hybrid"].auc_of_picks.value == 0
    assert kinds["hybrid"].spearman.value == -1


def test_picks_of_another_run_are_refused(drawn, tmp_path):
    """With the request that the run does not have."""
    picks = tmp_path / "picks.csv"
    picks.write_text("request_id,candidate\nabc,0\n")
    said = run("calibrate", drawn[0].path, "--picks", picks, "--cluster", "inline", code=1)
    assert "speaks of request 'abc'" in said
    assert "give the picks of this run" in said


def test_what_people_said_is_read_from_csv_and_parquet(tmp_path):
    """A rating from 4 on or a pick without one is a vote for, one up to 2 or a cross against."""
    rows = [
        ("a", 0, 4, False), ("a", 0, 5, False), ("a", 0, 1, False),
        ("a", 1, None, False), ("a", 2, 3, False), ("a", 3, 5, True), ("b", 0, 2, False),
    ]  # fmt: skip
    expected = {
        ("a", 0): Opinion(1, 10 / 3),
        ("a", 1): Opinion(1, None),
        ("a", 2): Opinion(0, 3),
        ("a", 3): Opinion(-1, 5),
        ("b", 0): Opinion(-1, 2),
    }
    assert read_ratings(write_picks(tmp_path / "picks.parquet", rows)) == expected
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    path = tmp_path / "picks.csv"
    path.write_text("\n".join(["request_id,candidate,rating,rejected", *lines]))
    assert read_ratings(path) == expected
    path.write_text("request_id,candidate\na,7\n")
    assert read_ratings(path) == {("a", 7): Opinion(1, None)}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "request_id,candidate,rating\na,0,6\n", "row 1 is no pick (rating 6)"),
        ("a.csv", "request_id,candidate,rating\na,0,5\na,1,4.5\n", "row 2 is no pick"),
        ("a.csv", "request_id,candidate,rating\na,0,good\n", "row 1 is no pick"),
        ("a.csv", "request_id,candidate,rejected\na,0,perhaps\n", "(rejected perhaps)"),
        ("a.csv", "request_id,rating\na,5\n", "('candidate')"),
        ("a.csv", "request_id,candidate\na\n", "row 1 is no pick"),
        ("a.csv", b"\xff\xfe\x00", "holds no picks"),
        ("a.parquet", "no parquet", "holds no picks"),
    ],
)
def test_a_table_that_holds_no_picks_is_refused(tmp_path, name, content, said):
    """In one line, with the row."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"a\.(csv|parquet)") as refused:
        read_ratings(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_calibration_is_read_without_torch():
    """`fundiff submit` reads one, and must start at once."""
    code = (
        "import sys, jobs.calibration.calibration, jobs.calibration.calibrating\n"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
