"""The command as a user types it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from fundiff.view_names import names
from jobs.cli import main
from jobs.journal import Submission
from manifests.layout import RunFolder

HERE = Path(__file__).parent


def run(*words: object, code: int = 0) -> str:
    """Run a command, expect an exit code, and return what it printed."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_a_manifest_goes_from_csv_to_a_finished_run(tmp_path, tiny_if):
    """Build, submit in this process, look, export, show."""
    manifest, folder = tmp_path / "pairs.parquet", tmp_path / "run"
    assert "2 requests" in run("manifest", "build", HERE / "pairs.csv", "-o", manifest)
    run("submit", manifest, "--run", folder, "--cluster", "inline", "--model", tiny_if)
    state = json.loads(run("status", folder, "--json"))
    assert state["progress"]["candidates"] == {"accepted": 2, "rejected": 4}
    assert state["progress"]["unfinished"] == []
    best = json.loads(run("top", folder, "-n", 1, "--json"))
    assert [row["rank"] for row in best] == [1, 1]
    assert {row["kind"] for row in best} == {"anagram", "hybrid"}
    assert "2 pictures" in run("export", folder, "-o", tmp_path / "best", "-n", 1)
    names = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert names == sorted(
        f"{row['request_id']}-001-candidate-{row['candidate']:05d}.png" for row in best
    )
    for path in (tmp_path / "best").iterdir():
        with Image.open(path) as picture:
            assert picture.size == (32, 32)
    assert "2 pictures" in run("gallery", folder, "-n", 1)
    page = (folder / "gallery.html").read_text()
    assert "the letter m" in page
    assert page.count("data:image/png;base64,") == 2
    assert "6 candidates in the index" in run("index", folder)


def test_the_same_run_in_processes_has_the_same_index(tmp_path, tiny_if, small_run):
    """--cluster local and --cluster inline differ in nothing that counts."""
    from manifests.index import same_rows

    run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--cluster", "local", "--model",
        tiny_if, "--parallel", 2, "--requests-per-shard", 1)  # fmt: skip
    assert same_rows(tmp_path / "run" / "index.parquet", small_run / "index.parquet")


def test_submitting_a_finished_run_again_draws_nothing(tiny_if, small_run):
    """It says so with exit code 0 and leaves every file as it was."""
    before = {path: path.stat().st_mtime_ns for path in (small_run / "results").rglob("*")}
    run(
        "submit", HERE / "pairs.csv", "--run", small_run, "--cluster", "inline", "--model", tiny_if
    )
    assert {path: path.stat().st_mtime_ns for path in (small_run / "results").rglob("*")} == before


def test_submitting_another_manifest_into_a_run_is_refused(tmp_path, tiny_if, small_run):
    """One line, exit code 1, nothing changed."""
    other = tmp_path / "other.csv"
    other.write_text("kind,prompts\nanagram,a|b\n")
    said = run(
        "submit", other, "--run", small_run, "--cluster", "inline", "--model", tiny_if, code=1
    )
    assert "is a run of another manifest" in said
    assert "give another --run" in said
    assert len(said.strip().splitlines()) == 1


def test_every_bad_row_is_listed_at_once_and_nothing_is_written(tmp_path):
    """With line, column, value and remedy; exit code 2."""
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "kind,prompts,views,candidates\n"
        "anagram,only one,,\n"
        "anagramm,a|b,,\n"
        "anagram,a|b,identity|flp,\n"
        "anagram,a|b,identity|low_pass:2,\n"
        "hybrid,a|b,low_pass:2|high_pass:3,\n"
        "anagram,a|b,,-3\n"
    )
    for words in (("check", bad), ("build", bad, "-o", tmp_path / "out.parquet")):
        said = run("manifest", *words, code=2)
        for line in range(2, 8):
            assert f"bad.csv:{line}:" in said
        assert "choose from identity, flip" in said
        assert "views identity|low_pass:2 do not add up to one whole picture" in said
        assert "with the same parameters throughout" in said
        assert "6 errors" in said
    assert not (tmp_path / "out.parquet").exists()


def test_a_request_is_tried_without_a_manifest(tmp_path, tiny_if):
    """Prompts, a view and a setting; a contact sheet of every candidate at the end."""
    folder, sheet = tmp_path / "run", tmp_path / "sheet.png"
    said = run("try", "the letter m", "the letter w", "--view", "flip", "-n", 3, "--model",
               tiny_if, "--run", folder, "-o", sheet, "--set", "num_inference_steps=2",
               "--set", "stage_2_num_inference_steps=2", "--set", "want=1")  # fmt: skip
    assert "UNet lanes of the first round: stage I: 24, stage II: 8" in said
    rows = json.loads(run("top", folder, "-n", 9, "--json"))
    assert [(row["kind"], row["views"]) for row in rows] == [("anagram", ["identity", "flip"])] * 3
    with Image.open(sheet) as picture:
        assert picture.width > 6 * 160  # three candidates of two panels each
    again = run("try", "the letter m", "the letter w", "--view", "flip", "-n", 3, "--model",
                tiny_if, "--run", folder, "-o", sheet, "--set", "num_inference_steps=2",
                "--set", "stage_2_num_inference_steps=2", "--set", "want=1")  # fmt: skip
    assert "there is nothing to draw" in again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "b", "--view", "flp"], "choose from identity, flip"),
        (["a", "b", "--view", "jigsaw"], "written as in jigsaw:seed=7"),
        (["a", "--view", "flip", "--view", "mirror"], "2 views for 1 prompts"),
        (["a", "--kind", "hybrid"], "hybrid takes 2 or more prompts, not 1"),
        (["a", "--mask", "m.png"], "inpaint needs image"),
        (["a", "--image", "none.png"], "'none.png' does not exist"),
        (["a", "--kind", "inverse"], "inverse needs image"),
        (["a", "b", "--view", "flip", "--set", "views=x|y"], "views are given twice"),
        (["a", "--set", "steps=3"], "column 'steps' is unknown"),
        (["a", "--set", "steps"], "write it as in --set guidance_scale=10"),
        (["a", "--set", "candidates=3"], "is set twice"),
        (["a", "--set", "sampler=euler"], "'euler' is unknown"),
    ],
)
def test_a_wrong_try_is_one_line_and_draws_nothing(tmp_path, monkeypatch, words, said):
    """Exit code 2, as for a manifest."""
    monkeypatch.chdir(tmp_path)
    told = run("try", *words, "--model", "mini", code=2)
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_could_not_be_written_is_refused_before_anything_is_drawn(tmp_path):
    """The folder is looked for first."""
    said = run("try", "a", "--model", "mini", "--run", tmp_path / "run", "-o",
               tmp_path / "nowhere" / "sheet.png", code=2)  # fmt: skip
    assert "nowhere does not exist" in said
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_is_never_written_over_its_source(tmp_path):
    """Nor into a file that would not be read as one."""
    source = tmp_path / "pairs.csv"
    shutil.copy(HERE / "pairs.csv", source)
    before = source.read_bytes()
    assert "must end in .parquet" in run("manifest", "build", source, "-o", source, code=2)
    assert source.read_bytes() == before
    manifest = tmp_path / "pairs.parquet"
    run("manifest", "build", source, "-o", manifest)
    assert "is the source itself" in run("manifest", "build", manifest, "-o", manifest, code=2)


def test_a_filter_that_leaves_nothing_says_what_there_is(tmp_path, small_run):
    """And writes nothing."""
    to = ["-o", tmp_path / "x"]
    page = ["-o", tmp_path / "x.html"]
    for words in (["top"], ["gallery", *page], ["export", *to], ["animate", *to]):
        said = run(words[0], small_run, *words[1:], "--tag", "nope", code=1)
        assert "nothing in" in said
        assert "its kinds are anagram, hybrid" in said
    assert not (tmp_path / "x.html").exists()


def test_a_model_that_is_not_there_is_one_line_from_a_process_of_its_own_too(tmp_path, tiny_if):
    """No traceback: the error is the user's to mend."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_if, folder)
    for weights in (folder / "stage-1" / "text_encoder").glob("*.safetensors"):
        weights.unlink()
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--model", folder, code=3)
    assert "holds no safetensors weights" in said
    assert "Traceback" not in said
    assert "File " not in said


def test_a_view_with_more_cells_than_the_model_has_pixels_is_refused(tmp_path, tiny_if):
    """Before anything is written: the tiny model draws 8 px."""
    said = run("try", "a", "b", "--view", "jigsaw:seed=7", "--model", tiny_if, "--run",
               tmp_path / "run", code=1)  # fmt: skip
    assert "view 'jigsaw:seed=7' cuts a picture into 32 cells a side" in said
    assert "draws 8 px" in said
    assert not (tmp_path / "run").exists()


def test_every_view_is_listed_and_shown(tmp_path):
    """By the name that one would type, with a picture if asked for."""
    said = run("views", "-o", tmp_path / "views.png")
    data = json.loads(run("views", "--json"))
    assert list(data) == names()
    assert all(name in said and words in said for name, words in data.items())
    with Image.open(tmp_path / "views.png") as sheet:
        assert sheet.width > 800


def test_the_best_are_animated(tmp_path, small_run):
    """One file per picture, of the format asked for."""
    for suffix in ("gif", "webp", "mp4"):
        said = run("animate", small_run, "-n", 1, "-o", tmp_path, "--format", suffix,
                   "--side", 64)  # fmt: skip
        assert "2 animations" in said
        assert len(list(tmp_path.glob(f"*.{suffix}"))) == 2
    with Image.open(next(tmp_path.glob("*.gif"))) as animation:
        assert animation.n_frames > 10
        assert animation.size == (64, 64)


def test_submit_refuses_a_source_with_bad_rows(tmp_path):
    """Before a run folder is made."""
    bad = tmp_path / "bad.csv"
    bad.write_text("kind,prompts\nanagram,one\n")
    said = run("submit", bad, "--run", tmp_path / "run", "--model", "mini", code=2)
    assert "fundiff manifest check" in said
    assert not (tmp_path / "run").exists()


def test_a_dry_run_shows_the_plan_and_writes_nothing(tmp_path):
    """Shards without drawing."""
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--model", "mini",
               "--requests-per-shard", 1, "--dry-run")  # fmt: skip
    assert "2 requests in 2 shards, 2 of them to draw" in said
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_a_finished_run_says_that_nothing_is_left(tiny_if, small_run):
    """It looks at the run that is there, and refuses another one in its place."""
    words = ["submit", HERE / "pairs.csv", "--run", small_run, "--model", tiny_if, "--dry-run"]
    assert "1 shards, 0 of them to draw" in run(*words)
    assert "is a run with seed 0, now it is 5" in run(*words, "--seed", 5, code=1)


@pytest.mark.slurm
def test_a_dry_run_on_slurm_shows_the_scripts_and_the_verdict(slurm_cluster, tmp_path):
    """What sbatch would be sent, and what it says to it; nothing is queued."""
    profile = tmp_path / "tiny.toml"
    profile.write_text('partition = "gpu"\ngres = "gpu:1"\nmem_gb = 1\ntimeout_min = 30\n')
    before = slurm_cluster.squeue()
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--model", "mini",
               "--cluster", "slurm", "--profile", profile, "--requests-per-shard", 1,
               "--dry-run")  # fmt: skip
    assert "arrays of 2 tasks" in said
    assert "max_array_size=5" in said
    assert "#SBATCH --dependency=afterok:ENCODE" in said
    assert f"--output={tmp_path}/run/slurm/" in said
    assert "#SBATCH --array=0-1" in said
    assert "#SBATCH --gres=gpu:1" in said
    assert said.count("accepted: ") == 3
    assert slurm_cluster.squeue() == before
    profile.write_text('partition = "nowhere"\n')
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--model", "mini",
               "--cluster", "slurm", "--profile", profile, "--dry-run")  # fmt: skip
    assert "refused: " in said
    assert "invalid partition" in said.lower()


def test_a_run_without_an_index_says_what_to_type(tmp_path, small_run):
    """`top` before `index`."""
    copy = shutil.copytree(small_run, tmp_path / "run")
    (copy / "index.parquet").unlink()
    assert "run `fundiff index" in run("top", copy, code=1)


@pytest.mark.parametrize(
    "words", [["status"], ["index"], ["top"], ["gallery"], ["export", "-o", "x"]]
)
def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path, words):
    """Nothing is written into it."""
    assert "is no run folder" in run(*words, tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_markup_in_a_prompt_is_text(tmp_path, small_run):
    """Rich would take brackets for commands."""
    from dataclasses import replace

    from manifests.manifest import read_manifest, write_manifest

    copy = RunFolder(shutil.copytree(small_run, tmp_path / "run[/x]"))
    changed = [
        replace(r, prompts=("a [/nope] [bold]cat", "b")) for r in read_manifest(copy.manifest)
    ]
    write_manifest(changed, copy.manifest)
    assert "[/nope]" in run("top", copy.path)
    assert "run[/x]" in run("status", copy.path)


def test_a_parquet_manifest_of_another_hand_is_checked_like_a_source(tmp_path):
    """Ids that lead out of a folder, rows twice, views that do not exist, no rows, no Parquet."""
    from dataclasses import replace

    from manifests.manifest import write_manifest
    from tests.manifests.rows import request

    path, good = tmp_path / "m.parquet", request()
    for requests, words in (
        ([replace(good, request_id="../x")], "does not follow from the content"),
        ([good, good], "the same request stands above"),
        ([request(views=("identity", "flp"))], "choose from identity"),
        ([], "holds no requests"),
    ):
        write_manifest(requests, path)
        assert words in run("manifest", "check", path, code=2)
        run("submit", path, "--run", tmp_path / "run", "--model", "mini", code=2)
    path.write_bytes(b"PAR1")
    assert "no whole Parquet file" in run("manifest", "check", path, code=2)
    write_manifest([good], path)
    assert "1 requests" in run("manifest", "check", path)
    assert "give its source" in run("manifest", "check", path, "--style", "oil", code=2)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "model",
    [["--model", "."], ["--model", "nowhere"], ["--model", "mini", "--judge", "."]],
    ids=" ".join,
)
def test_what_is_plainly_no_model_is_refused_before_anything_is_written(tmp_path, model):
    """A folder without the files, a name that is neither folder nor hub id."""
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--stage-2", ".", *model,
               code=1)  # fmt: skip
    assert "hub's layout" in said or "neither a folder here nor a hub id" in said
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_mixed_into_other_files(tmp_path):
    """A folder of photographs, a file, a folder below a file."""
    (tmp_path / "photo.jpg").write_bytes(b"")
    for place, words in (
        (tmp_path, "is no run; give a new folder"),
        (tmp_path / "photo.jpg", "is a file"),
        (tmp_path / "photo.jpg" / "run", "Not a directory"),
    ):
        said = run("submit", HERE / "pairs.csv", "--run", place, "--model", "mini", code=1)
        assert words in said
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_torn_results_are_not_taken_for_complete(tmp_path, small_run):
    """A part that a marker lists must be whole."""
    copy = shutil.copytree(small_run, tmp_path / "run")
    for part in copy.rglob("part-*.parquet"):
        part.write_bytes(b"")
    assert "no whole Parquet file" in run("status", copy, code=1)


def test_status_answers_from_files_when_slurm_does_not(tmp_path, small_run, monkeypatch):
    """With what SLURM said."""
    copy = RunFolder(shutil.copytree(small_run, tmp_path / "run"))
    copy.done(0).unlink()
    Submission(copy, "gpu", [0], ["123_0"]).note()
    monkeypatch.setenv("PATH", str(tmp_path))
    said = json.loads(run("status", copy.path, "--json", code=3))
    assert said["progress"]["shards_done"] == 0
    assert "SLURM does not answer" in said["notes"][0]


def test_a_model_without_a_second_stage_is_refused_before_anything_is_written(tmp_path):
    """With the models that are known."""
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--model", "who/knows",
               code=1)  # fmt: skip
    assert "--stage-2" in said
    assert "DeepFloyd/IF-I-M-v1.0" in said
    assert not (tmp_path / "run").exists()


def test_a_task_that_fails_is_told_with_its_log_and_the_run_is_incomplete(tmp_path, tiny_if):
    """A judge that is no judge: exit code 3, and the log's last words."""
    said = run("submit", HERE / "pairs.csv", "--run", tmp_path / "run", "--cluster", "local",
               "--model", tiny_if, "--judge", tiny_if / "stage-1" / "text_encoder",
               code=3)  # fmt: skip
    assert "choose a CLIP-like model" in said


def test_every_command_ends_its_help_in_an_example():
    """One that names the command itself."""
    for path in _commands(main, ("fundiff",)):
        said = run(*path[1:], "--help")
        assert f"Example:\n    {' '.join(path)}" in said, path


def _commands(group, path):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)
