"""A run is scored again by other judges, without drawing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.cli import main
from jobs.config import RunConfig
from jobs.launching import Launch, describe
from jobs.planning import plan_run
from jobs.scoring import Scoring, agreement, name_of, place_scoring, unscored, work_scoring
from manifests.files import sha256_file
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.ranking import top
from manifests.results import (
    Marker,
    PartFile,
    markers,
    publish_marker,
    read_rows,
    write_part,
)
from manifests.schemas import SCORES
from manifests.tables import read_rows as read_table
from tests.manifests.rows import candidate, png, request

SMALL = {"candidates": 4, "want": 1, "max_candidates": 4, "stages": 1}


@pytest.fixture
def run(small_run, tmp_path) -> RunFolder:
    """A finished run of one's own."""
    shutil.copytree(small_run, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def candidates(run: RunFolder) -> dict:
    files = [run.shard(m.shard) / file.name for m in markers(run) for file in m.files]
    return {(row.request_id, row.candidate): row for row in read_rows(files)}


def scores(run: RunFolder, name: str) -> dict:
    found = {}
    for part in (run.scores / name).glob("part-*.parquet"):
        rows = read_table(part, SCORES).to_pylist()
        found |= {(row["request_id"], row["candidate"]): row for row in rows}
    return found


def test_the_runs_own_judge_says_again_what_it_said(run, tiny_if):
    """To the bit, of the last picture of every candidate."""
    number = place_scoring(run, Scoring("again", str(tiny_if / "judge")))
    assert work_scoring(str(run.path), number)
    drawn, said = candidates(run), scores(run, "again")
    assert said.keys() == {key for key, row in drawn.items() if row.stage}
    for key, row in said.items():
        assert row["score"] == drawn[key].score
        assert row["similarities"] == list(drawn[key].similarities)
        assert row["stage"] == drawn[key].stage
    assert all(each.same_best == 1 for each in agreement(run, "again"))


def test_another_judge_ranks_the_run_anew(run, other_judge, tmp_path):
    """By the command, and `top --by` follows it."""
    asked = ["score", str(run.path), "--judge", other_judge, "--name", "other"]
    result = CliRunner().invoke(main, [*asked, "--cluster", "inline", "--json"])
    assert result.exit_code == 0, result.output
    agreed = {each["kind"]: each for each in json.loads(result.stdout)}
    assert agreed.keys() == {row.kind for row in candidates(run).values()}
    said = scores(run, "other")
    drawn = candidates(run)
    assert any(said[key]["score"] != drawn[key].score for key in said)
    by_request = {}
    for row in top(run, 100, by=("other",)):
        by_request.setdefault(row["request_id"], []).append((row["request_id"], row["candidate"]))
    for keys in by_request.values():
        final = [key for key in keys if said[key]["stage"] == 2]
        assert final == sorted(final, key=lambda key: -said[key]["score"])


def test_what_was_drawn_and_not_scored_is_no_part_of_an_agreement(tmp_path, tiny_if):
    """A candidate whose judge failed has a picture and no score; one alone agrees with nothing."""
    asked = [request(**SMALL), request(**SMALL, seed=1)]
    folder = RunFolder(tmp_path / "run")
    plan_run(asked, folder, RunConfig(model=str(tiny_if)), 2)
    drawn = [
        candidate(asked[0].request_id, n, stage=1, image=None, stage_1_image=png(40 * n, side=8),
                  score=None if n == 2 else 0.1 * n)
        for n in range(4)
    ]  # fmt: skip
    drawn.append(candidate(asked[1].request_id, 0, stage=1, image=None, stage_1_image=png(7)))
    part = write_part(folder, 0, "attempt", drawn)
    file = PartFile(part.name, len(drawn), sha256_file(part))
    publish_marker(folder, Marker(0, "attempt", (file,), len(drawn)))
    build_index(folder)
    number = place_scoring(folder, Scoring("judge", str(tiny_if / "judge")))
    assert work_scoring(str(folder.path), number)
    assert len(scores(folder, "judge")) == 5
    (agreed,) = agreement(folder, "judge")
    assert (agreed.kind, agreed.candidates) == ("anagram", 3)


def test_what_is_scored_is_not_scored_again(run, tiny_if):
    """A scoring that is told to stop goes on where it was; the parts stay as they are."""
    number = place_scoring(run, Scoring("judge", str(tiny_if / "judge")))
    assert not work_scoring(str(run.path), number, lambda: True)
    assert unscored(run, "judge")
    assert work_scoring(str(run.path), number)
    parts = {path: path.stat().st_mtime_ns for path in (run.scores / "judge").iterdir()}
    assert work_scoring(str(run.path), number)
    assert parts == {path: path.stat().st_mtime_ns for path in (run.scores / "judge").iterdir()}


def test_one_name_is_one_judge(run, tiny_if, other_judge):
    """A second judge under the name of the first is refused, a name that is a path too."""
    own = str(tiny_if / "judge")
    first = place_scoring(run, Scoring("judge", own))
    assert place_scoring(run, Scoring("judge", own)) == first
    with pytest.raises(ValueError, match=r"is what judge .* is called in .*; give another --name"):
        place_scoring(run, Scoring("judge", other_judge))
    for name in ("../outside", ".hidden", "a/b", ""):
        with pytest.raises(ValueError, match="is no name of a folder"):
            place_scoring(run, Scoring(name, own))


def test_a_judges_name_can_be_a_folders():
    """Of a hub id with a revision; of a folder its own name."""
    assert name_of("openai/clip-vit-large-patch14") == "openai--clip-vit-large-patch14"
    assert name_of("a/b@v1.0") == "a--b@v1.0"


def test_an_index_knows_nothing_of_scores_that_came_later(run, other_judge):
    """They stand beside it."""
    before = run.index.read_bytes()
    number = place_scoring(run, Scoring("other", other_judge))
    assert work_scoring(str(run.path), number)
    build_index(run)
    assert run.index.read_bytes() == before


@pytest.mark.slurm
def test_a_run_is_scored_by_a_real_slurm(slurm_cluster, run, other_judge, tmp_path):
    """As one job, to the same rows as in this process."""
    profile = tmp_path / "tiny.toml"
    profile.write_text('partition = "gpu"\nmem_gb = 2\ntimeout_min = 30\n')
    asked = ["score", str(run.path), "--judge", other_judge, "--device", "cpu"]
    result = CliRunner().invoke(
        main, [*asked, "--name", "far", "--cluster", "slurm", "--profile", str(profile)]
    )
    assert result.exit_code == 0, result.output
    slurm_cluster.wait_for(lambda: not unscored(run, "far"), 120, "the run was scored")
    assert work_scoring(str(run.path), place_scoring(run, Scoring("near", other_judge, "cpu")))
    assert scores(run, "far") == scores(run, "near")


def test_the_embedded_judge_has_a_name_and_no_judge_is_asked_twice(tmp_path):
    """`mini` is one; a second name of the same repository is refused, and nothing is written."""
    source = Path(__file__).parent / "pairs.csv"
    plain = Launch(source, tmp_path / "run", "inline", judge=("mini",))
    assert RunConfig("mini").selecting == ("mini",)
    assert describe(plain)
    for judges, held_out in (
        (("mini", "mini"), None),
        (("mini",), "mini"),
        (("a/b",), "a/b@main"),
    ):
        with pytest.raises(ValueError, match="is named twice"):
            describe(replace(plain, judge=judges, held_out=held_out))
    assert not (tmp_path / "run").exists()
