"""A shard is worked to the same bits, however often it is stopped or killed."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from fundiff.engine import Engine
from fundiff.pictures import keep_mask, square
from jobs.budget import glimpses_of
from jobs.config import RunConfig
from jobs.recipes import open_picture
from jobs.worker import open_studio, work
from manifests.files import read_json
from manifests.index import build_index, same_rows
from manifests.layout import RunFolder
from manifests.results import drafts, markers, parts, read_rows
from tests.jobs.conftest import SHORT, every_kind
from tests.manifests.rows import inpainting, png, request


def rows(folder: RunFolder) -> dict:
    """All rows that markers lead to, by key."""
    paths = [folder.shard(m.shard) / file.name for m in markers(folder) for file in m.files]
    listed = list(read_rows(paths))
    keyed = {(row.request_id, row.candidate): row for row in listed}
    assert len(keyed) == len(listed)
    return keyed


def same_pictures(a: dict, b: dict) -> bool:
    """Whether two runs hold the same rows with the same pictures, to the bit."""
    return a.keys() == b.keys() and all(
        (a[k].status, a[k].score, a[k].similarities, a[k].image, a[k].stage_1_image)
        == (b[k].status, b[k].score, b[k].similarities, b[k].image, b[k].stage_1_image)
        for k in a
    )


def test_every_kind_ends_as_rows_with_what_is_its_own(plan):
    """All in one batch: pictures, scores, and what pixels say of what was kept."""
    asked = every_kind(**SHORT, candidates=2, want=1, max_candidates=2)
    folder = plan("kinds", asked, 100)
    assert work(str(folder.path), 0)
    keyed = rows(folder)
    for each in asked:
        own = [keyed[each.request_id, n] for n in range(2)]
        assert sorted(row.status for row in own) == ["accepted", "rejected"]
        best = next(row for row in own if row.status == "accepted")
        picture = open_picture(best.image or best.stage_1_image)
        assert picture.size == ((40, 8) if each.kind == "denoise" else (32, 32))
        assert len(best.similarities) == len(each.prompts) ** 2
        assert (best.seam is not None) == (each.kind == "inpaint")
        assert (best.kept_error is not None) == (each.kind in ("inpaint", "inverse"))
        if each.kind == "inpaint":
            assert best.kept_error == 0
        if each.kind == "inverse":  # kept, but where the random model's colours are clipped
            assert 0 < best.kept_error < 6


@pytest.mark.parametrize("pruning", [{}, {"prune_at": 0.5, "prune_keep": 0.5}])
def test_kinds_are_stopped_anywhere_and_go_on_to_the_same_bits(plan, pruning):
    """Whatever an algorithm was in the middle of, or waiting for."""
    asked = every_kind(**SHORT, candidates=2, want=1, max_candidates=2, **pruning)
    whole, stopped = plan("whole", asked, 100), plan("stopped-kinds", asked, 100)
    assert work(str(whole.path), 0)
    for _ in range(100):
        calls = iter(range(9))
        if work(str(stopped.path), 0, lambda calls=calls: next(calls, None) is None):
            break
    assert same_pictures(rows(stopped), rows(whole))


def test_pruned_candidates_end_with_what_was_expected_of_them(plan):
    """Half-way: a picture and a score, no more; the others are drawn as if nobody had looked."""
    few = {**SHORT, "candidates": 4, "want": 1, "max_candidates": 4, "finalists": 2, "seed": 3}
    plain, pruned = request(**few), request(**few, prune_at=0.5, prune_keep=0.5)
    folder = plan("pruned", [plain, pruned], 2)
    assert work(str(folder.path), 0)
    keyed = rows(folder)
    own = [keyed[pruned.request_id, n] for n in range(4)]
    dropped = [row for row in own if row.stage == 0]
    assert len(dropped) == 2
    worst = min(row.glimpse_score for row in own if row.stage)
    for row in dropped:
        assert row.status == "rejected"
        assert row.reason.startswith("pruned within stage 1: rank")
        assert row.glimpse_score <= worst
        assert open_picture(row.glimpse_image).size == (8, 8)
        assert (row.stage_1_image, row.score, row.stage_2_lanes) == (None, None, 0)
    for row in own:
        assert row.glimpse_image is not None
        if row.stage:
            assert row.stage_1_image is not None
            assert row.stage_1_lanes == keyed[plain.request_id, row.candidate].stage_1_lanes
    assert all(keyed[plain.request_id, n].glimpse_image is None for n in range(4))


def test_a_glimpse_changes_no_bit_of_what_is_drawn(plan):
    """All go on, so every picture is that of the request without pruning and the same seed."""
    few = {**SHORT, "candidates": 2, "want": 2, "max_candidates": 2}
    drawn = {}
    for name, pruning in (("plain", {}), ("seen", {"prune_at": 0.5, "prune_keep": 1.0})):
        asked = every_kind(**few, **pruning)
        folder = plan(name, asked, 100)
        # The id decides the seed, so both runs must draw under the ids of the first.
        studio = open_studio(folder, RunConfig.from_json(read_json(folder.run_json)), asked)
        plain = every_kind(**few)
        engine = Engine(studio.stages[1], 6)
        for one, original in zip(asked, plain, strict=True):
            same = replace(one, request_id=original.request_id)
            engine.add(original.request_id, studio.draw_stage_1(same, 0, glimpses_of(one)))
        pictures, seen = {}, 0
        while not engine.idle:
            pictures |= {done.key: done.picture for done in engine.step()}
            for paused in engine.paused():
                seen += 1
                engine.resume(paused.key)
        drawn[name] = pictures
        assert seen == (0 if name == "plain" else len(asked) - 1)  # all but the panels
    assert drawn["plain"].keys() == drawn["seen"].keys()
    for key, picture in drawn["plain"].items():
        assert torch.equal(picture, drawn["seen"][key])


def test_a_held_out_judge_reports_and_decides_nothing(plan, tiny_if, other_judge):
    """The same verdicts with and without it; two that select decide by mean rank."""
    few = {**SHORT, "candidates": 5, "want": 2, "max_candidates": 5}
    asked, own = request(**few), str(tiny_if / "judge")
    runs = {
        "alone": {"judges": (own,)},
        "watched": {"judges": (own,), "held_out": other_judge},
        "together": {"judges": (own, other_judge)},
    }
    found = {}
    for name, settings in runs.items():
        folder = plan(name, [asked], **settings)
        assert work(str(folder.path), 0)
        found[name] = [rows(folder)[asked.request_id, n] for n in range(5)]
    alone, watched, together = found.values()
    assert [row.status for row in alone] == [row.status for row in watched]
    assert all(row.held_out is None for row in (*alone, *together))
    for row, other in zip(watched, together, strict=True):
        assert row.judge_scores == (row.score, row.held_out)
        if row.stage == other.stage:
            assert other.judge_scores == row.judge_scores
    for group in (alone, watched, together):
        first = [row.stage_1_score for row in group]
        if group is not together:
            assert {row.candidate for row in group if row.stage == 2} == set(
                sorted(range(5), key=lambda n: -first[n])[:2]
            )
        final = [row for row in group if row.stage == 2]
        assert sorted(row.mean_rank for row in final) in ([1.0, 2.0], [1.5, 1.5])


@pytest.fixture
def undisturbed(plan, requests):
    """The run that nothing happens to."""
    folder = plan("undisturbed", requests)
    for shard in (0, 1):
        assert work(str(folder.path), shard)
    return folder


def test_every_candidate_ends_as_one_row_with_its_pictures_scores_and_cost(undisturbed, requests):
    """The best of stage I go on; the others say why not."""
    keyed = rows(undisturbed)
    assert keyed.keys() == {(r.request_id, c) for r in requests for c in range(4)}
    views = {r.request_id: len(r.views) for r in requests}
    for (request_id, _), row in keyed.items():
        assert row.stage_1_image is not None
        assert len(row.stage_1_similarities) == views[request_id] ** 2
        assert row.status == ("accepted" if row.image else "rejected")
        assert bool(row.reason) == (row.status == "rejected")
        assert (row.stage_2_lanes > 0) == (row.stage == 2) == (row.image is not None)
    for r in requests:
        own = [keyed[r.request_id, c] for c in range(4)]
        assert sum(row.status == "accepted" for row in own) == 2
        worst = min(row.stage_1_score for row in own if row.stage == 2)
        assert all(row.stage_1_score <= worst for row in own if row.stage == 1)
    costs = {row.kind: row.stage_1_lanes for row in keyed.values() if row.kind != "anagram"}
    assert costs == {"hybrid": 3 * 4, "inpaint": 2 * 4}


def test_hybrids_have_a_near_and_a_far_score_and_others_have_none(undisturbed):
    """The alignment of a hybrid is the worse of the two."""
    for row in rows(undisturbed).values():
        if row.kind == "hybrid":
            assert row.alignment == min(row.near, row.far, row.far_shrunk)
        else:
            assert row.near is None
            assert row.far is None


def test_an_inpainting_keeps_every_kept_pixel_in_both_stages(plan):
    """In the 8-bit pictures as they are stored."""
    image = Image.effect_noise((40, 32), 90).convert("RGB")
    mask = Image.new("L", (40, 32), 0)
    mask.paste(255, (12, 8, 24, 20))
    buffers = [io.BytesIO(), io.BytesIO()]
    image.save(buffers[0], format="PNG")
    mask.save(buffers[1], format="PNG")
    asked = inpainting(
        **SHORT,
        image=type(png(0))(buffers[0].getvalue()),
        mask=type(png(0))(buffers[1].getvalue()),
        candidates=2,
        want=1,
        max_candidates=2,
    )
    folder = plan("inpaint", [asked])
    assert work(str(folder.path), 0)
    for row in rows(folder).values():
        for stored in (row.stage_1_image, row.image):
            if stored is None:
                continue
            drawn = np.asarray(open_picture(stored))
            size = drawn.shape[0]
            original = np.asarray(square(image, size))
            kept = keep_mask(mask, size)[0].numpy().astype(bool)
            assert 0 < kept.sum() < kept.size
            assert np.array_equal(drawn[kept], original[kept])
            assert not np.array_equal(drawn[~kept], original[~kept])


def test_a_worker_that_is_told_to_stop_anywhere_goes_on_to_the_same_bits(
    plan, requests, undisturbed
):
    """Stopped after every few UNet calls; what was drawn is never drawn again."""
    folder = plan("stopped", requests)
    for shard in (0, 1):
        for _ in range(100):
            calls = iter(range(7))
            before = len(drafts(folder, shard)) + len(parts(folder, shard))
            if work(str(folder.path), shard, lambda calls=calls: next(calls, None) is None):
                break
            assert len(drafts(folder, shard)) + len(parts(folder, shard)) >= before
        assert drafts(folder, shard) == []
    assert same_pictures(rows(folder), rows(undisturbed))
    for run in (folder, undisturbed):
        build_index(run)
    assert same_rows(folder.index, undisturbed.index)


def test_a_worker_that_is_killed_loses_and_repeats_nothing_that_was_written(
    plan, requests, undisturbed
):
    """A real process, killed with -9 as soon as it has written something new."""
    folder = plan("killed", requests, flush_s=0.0)
    code = "import sys; from jobs.worker import work; work(sys.argv[1], int(sys.argv[2]))"
    kills = 0
    for shard in (0, 1):
        while not folder.done(shard).exists():
            seen = set(folder.shard(shard).glob("*.parquet"))
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(folder.path), str(shard)],
                stderr=subprocess.DEVNULL,
            )
            deadline = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < deadline:
                new = set(folder.shard(shard).glob("*.parquet")) - seen
                if len(new) >= 2 and kills < 3:
                    os.kill(process.pid, signal.SIGKILL)
                    kills += 1
                time.sleep(0.005)
            process.wait()
            saved = read_rows(drafts(folder, shard))
            drawn = [(row.request_id, row.candidate, row.stage) for row in saved]
            assert len(set(drawn)) == len(drawn)
    assert kills == 3
    assert same_pictures(rows(folder), rows(undisturbed))


def test_what_cannot_be_drawn_becomes_failed_rows_and_the_rest_goes_on(plan, requests):
    """A view that only the drawing knows to be wrong."""
    bad = request(**SHORT, views=("identity", "no_such_view"), candidates=3, max_candidates=3,
                  want=3)  # fmt: skip
    folder = plan("bad", [bad, requests[0]])
    assert work(str(folder.path), 0)
    failed = [row for row in rows(folder).values() if row.request_id == bad.request_id]
    assert [row.status for row in failed] == ["failed"] * 3
    assert {row.error_type for row in failed} == {"ValueError"}
    assert "choose from identity" in failed[0].error_message
    others = [row for row in rows(folder).values() if row.request_id != bad.request_id]
    assert {row.status for row in others} == {"accepted", "rejected"}


def test_what_cannot_be_judged_becomes_failed_rows_and_the_rest_goes_on(plan, requests):
    """A request whose every view steers away from its prompt: nothing is left to score."""
    odd = request(
        **SHORT,
        kind="inverse",
        image=png(90, side=16),
        prompts=("a",),
        views=("scale:-0.4",),
        keep="scale:1.4",
        candidates=2,
        max_candidates=2,
        want=1,
    )
    folder = plan("odd", [odd, requests[0]])
    assert work(str(folder.path), 0)
    keyed = rows(folder)
    failed = [row for (request_id, _), row in keyed.items() if request_id == odd.request_id]
    assert [row.status for row in failed] == ["failed"] * 2
    assert len(keyed) == 2 + 4


def test_lanes_are_part_of_a_runs_identity(plan, requests, tiny_if):
    """Another lane count would give other bits, so a run is not resumed with one."""
    from dataclasses import replace

    from jobs.config import RunConfig
    from jobs.planning import plan_run
    from manifests.files import read_json

    folder = plan("run", requests)
    config = RunConfig.from_json(read_json(folder.run_json))
    plan_run(requests, folder, config, 2)
    with pytest.raises(ValueError, match=r"stage_1_lanes 6, now it is 7; give another --run"):
        plan_run(requests, folder, replace(config, stage_1_lanes=7), 2)
    with pytest.raises(ValueError, match="is a run of another manifest"):
        plan_run(requests[:3], folder, config, 2)
    with pytest.raises(ValueError, match="other shards"):
        plan_run(requests, folder, config, 3)


def test_a_second_attempt_at_a_finished_shard_changes_nothing(undisturbed):
    """It returns at once."""
    before = sorted(p.name for p in undisturbed.path.rglob("*"))
    assert work(str(undisturbed.path), 0)
    assert sorted(p.name for p in undisturbed.path.rglob("*")) == before


def test_results_open_in_pandas_and_say_what_made_them(undisturbed):
    """As any Parquet file."""
    import pandas as pd

    folder = undisturbed.shard(0)
    frame = pd.read_parquet(folder, filters=[("status", "==", "accepted")])
    assert len(frame) == 4
    assert set(frame["code_version"]) == {pq.read_table(folder)["code_version"][0].as_py()}


def test_hundreds_of_rounds_are_resumed_without_recursion(plan):
    """A judge that is never content, one candidate a round, stopped late."""
    asked = request(
        candidates=1,
        want=1,
        accept=1.0,
        max_candidates=300,
        num_inference_steps=1,
        stage_2_num_inference_steps=1,
    )
    folder = plan("rounds", [asked])
    calls = iter(range(560))
    assert not work(str(folder.path), 0, lambda: next(calls, None) is None)
    assert len(list(read_rows(drafts(folder, 0)))) > 200
    assert work(str(folder.path), 0)
    assert len(rows(folder)) == 300


def test_a_torn_draft_is_drawn_again(plan, requests, undisturbed):
    """Its rows are missing, and nothing else is."""
    folder = plan("torn", requests)
    calls = iter(range(9))
    assert not work(str(folder.path), 0, lambda: next(calls, None) is None)
    for path in drafts(folder, 0):
        path.write_bytes(b"torn")
    for shard in (0, 1):
        assert work(str(folder.path), shard)
    assert same_pictures(rows(folder), rows(undisturbed))


def test_a_manifest_that_was_changed_after_planning_is_refused(plan, requests):
    """Its hash is the run's."""
    from manifests.manifest import write_manifest

    folder = plan("changed", requests)
    write_manifest(requests[1:], folder.manifest)
    with pytest.raises(ValueError, match="not the manifest that this run was planned with"):
        work(str(folder.path), 0)
