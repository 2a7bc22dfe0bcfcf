"""Exports: PNG, CSV, Hugging Face, WebDataset."""

import csv
import io
import json
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jobs.cli import main
from jobs.exporting import export_pictures
from jobs.exports.entry import FACTS, Entry, entries
from jobs.exports.folder import EXPORTED, whole_folder
from jobs.exports.huggingface import card, size_category, write_huggingface
from jobs.exports.png import describe, labelled
from jobs.exports.shards import runs
from jobs.exports.webdataset import write_webdataset
from jobs.origin import public_name
from jobs.pictures import best_pictures
from manifests.layout import RunFolder
from manifests.records import Picture, Upscaled
from manifests.upscaled import write_upscaled
from tests.jobs.finished import finished
from tests.manifests.rows import candidate, noise, png, request

ROOT = Path(__file__).resolve().parents[2]

ODD = '../../etc/passwd; <b>Ü|\N{SNOWMAN}</b>, "two"\nlines'
"""What a file name, a CSV or a page could trip over."""


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def pixels(png: bytes | Path) -> np.ndarray:
    with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as image:
        return np.asarray(image.convert("RGB"))


def picture(seed: int, size: int = 3000) -> Picture:
    return Picture(noise(size, seed), "")


@pytest.fixture
def mixed(tmp_path) -> RunFolder:
    """Six anagrams and then, with worse scores, six hybrids, which alone have near and far."""
    anagrams = [request(prompts=(ODD.replace("\n", " "), f"a rocket ship {n}")) for n in range(6)]
    hybrids = [
        request(kind="hybrid", views=("low_pass:8", "high_pass:8"), reduction="sum",
                prompts=("a skull", f"a waterfall {n}"), tags=("far", "near"))
        for n in range(6)
    ]  # fmt: skip
    rows = [
        candidate(each.request_id, kind="anagram", score=0.9 - n / 100, image=picture(n))
        for n, each in enumerate(anagrams)
    ]
    rows += [
        candidate(each.request_id, kind="hybrid", score=0.5 - n / 100, near=0.5 + n, far=0.25,
                  image=picture(10 + n))
        for n, each in enumerate(hybrids)
    ]  # fmt: skip
    return finished(tmp_path / "night", [*anagrams, *hybrids], rows, held_out="own/held-out")


def test_a_png_has_the_stored_pixels_and_says_what_it_is(tmp_path, small_run):
    """All of the request's settings, scores and models as JSON, and a line for people."""
    folder = RunFolder(small_run)
    assert "6 pictures" in run("export", small_run, "-o", tmp_path / "best")
    for row, stored in best_pictures(folder, 3):
        name = f"{row['request_id']}-{row['rank']:03d}-candidate-{row['candidate']:05d}.png"
        assert np.array_equal(pixels(tmp_path / "best" / name), pixels(stored))
        with Image.open(tmp_path / "best" / name) as image:
            assert set(image.text) == {"fundiff", "Description", "Software"}
            facts = json.loads(image.text["fundiff"])
            assert re.fullmatch(r"fundiff \d+\.\d+\.\d+", image.text["Software"])
            assert image.text["Description"] == describe(facts)
        assert list(facts) == FACTS.names
        assert {name: facts[name] for name in row if name in facts} == {
            name: value for name, value in row.items() if name in facts
        }
        assert (facts["num_inference_steps"], facts["want"], facts["run_seed"]) == (4, 1, 0)
        assert facts["stage_2_model"].endswith("/stage-2")
        assert [judge.split("/")[-1] for judge in facts["judges"]] == ["judge"]


def test_any_text_survives_in_a_png():
    """The chunks are UTF-8, without the limits of Latin-1 and of 79 characters."""
    facts = dict.fromkeys(FACTS.names, "") | {
        "kind": "anagram", "style": "an oil painting of", "prompts": [ODD, "ß" * 5000],
        "views": ["identity", "flip"], "code_version": "1",
    }  # fmt: skip
    data = labelled(Entry("x", facts, picture(0).bytes))
    with Image.open(io.BytesIO(data)) as image:
        assert json.loads(image.text["fundiff"]) == facts
        words = f"anagram: an oil painting of {ODD} (identity), {'ß' * 5000} (flip)"
        assert image.text["Description"] == words
    assert b"iTXt" in data
    assert b"tEXt" not in data


def test_what_was_enlarged_is_exported_large(tmp_path, mixed):
    """The newest order's picture counts, and one that failed does not."""
    first, second, *_ = (entry.facts for entry in entries(mixed, 1))
    mixed.upscaled.mkdir()
    for facts, order, side, error in (
        (first, 1, 8, None), (first, 2, 6, None), (first, 3, None, "ValueError"),
        (second, 1, None, "ValueError"),
    ):  # fmt: skip
        image = png(order, side=side) if side else None
        row = Upscaled(facts["request_id"], facts["candidate"], order, 1, 1, image, error, error,
                       "own/upscaler", "1")  # fmt: skip
        write_upscaled(mixed, order, [row])
    large, small, *_ = entries(mixed, 1)
    assert large.png == png(2, side=6).bytes
    assert (large.facts["upscaler"], small.facts["upscaler"]) == ("own/upscaler", "")
    assert np.array_equal(pixels(small.png), pixels(picture(1).bytes))


def test_a_csv_names_the_picture_beside_it(tmp_path, mixed):
    """Scores, settings and prompts in one table; lists are separated as in a source."""
    export_pictures(mixed, tmp_path / "out", 1, "csv")
    with (tmp_path / "out" / "candidates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert list(rows[0]) == ["file_name", *FACTS.names]
    assert rows[0]["prompts"] == f"{ODD.replace(chr(10), ' ')}|a rocket ship 0"
    assert (rows[0]["near"], rows[-1]["near"]) == ("", "5.5")
    assert (rows[-1]["views"], rows[-1]["tags"]) == ("low_pass:8|high_pass:8", "far|near")
    assert rows[-1]["held_out_judge"] == "own/held-out"
    for row, entry in zip(rows, entries(mixed, 1), strict=True):
        assert (tmp_path / "out" / row["file_name"]).read_bytes() == entry.png
        assert float(row["score"]) == entry.facts["score"]


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The library `datasets`, which must not ask anybody."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def test_a_hugging_face_folder_loads_with_its_pictures(tmp_path, mixed, datasets):
    """Offline, by its path alone; the card's columns are those of the files."""
    assert export_pictures(mixed, tmp_path / "out", 1, "hf") == 12
    rows = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    expected = list(entries(mixed, 1))
    assert len(rows) == 12
    assert isinstance(rows.features["image"], datasets.Image)
    assert rows.features["prompts"] == datasets.List(datasets.Value("string"))
    assert rows.column_names == ["image", *FACTS.names]
    for row, entry in zip(rows, expected, strict=True):
        assert np.array_equal(np.asarray(row.pop("image").convert("RGB")), pixels(entry.png))
        assert row == entry.facts
    page = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(page.split("---\n")[1])
    assert datasets.Features._from_yaml_list(front["dataset_info"]["features"]) == rows.features
    assert front["license"] == "other"
    assert front["size_categories"] == ["n<1K"]
    (split,) = front["dataset_info"]["splits"]
    assert split["num_examples"] == 12
    assert split["num_bytes"] == sum(len(entry.png) for entry in expected)
    for words in ("| anagram | 6 |", "| hybrid | 6 |", "`mini`", "`own/held-out`", "licence"):
        assert words in page


def test_a_large_hugging_face_folder_is_cut_into_files_that_count_themselves(tmp_path, mixed):
    """Each below the bound; together they hold every picture once, in order."""
    out = tmp_path / "out"
    out.mkdir()
    assert write_huggingface(entries(mixed, 1), out, shard_bytes=7000) == 12
    files = sorted((out / "data").iterdir())
    assert [file.name for file in files] == [f"train-{n:05d}-of-00006.parquet" for n in range(6)]
    ids = [name for file in files for name in pq.read_table(file)["request_id"].to_pylist()]
    assert ids == [entry.facts["request_id"] for entry in entries(mixed, 1)]


def test_a_card_is_valid_whatever_a_run_is_called():
    """YAML and Markdown take a name as text."""
    facts = dict.fromkeys(FACTS.names, "") | {"judges": ["a`b"], "run": "a: [`#b\n---\nc"}
    front = yaml.safe_load(card(facts, {"edit": 1}, 1, 1).split("\n---\n\n# ")[0][4:])
    assert front["pretty_name"] == "Visual illusions of a: [`#b\n---\nc"
    assert "`ab`" in card(facts, {"edit": 1}, 1, 1)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**8, "n>100M")],
)
def test_a_size_is_called_as_the_hub_calls_it(count, words):
    """In powers of ten."""
    assert size_category(count) == words


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_archives_hold_a_picture_and_its_facts_under_one_key(tmp_path, mixed):
    """One after the other, in the order of the ranking, in archives below the bound."""
    out = tmp_path / "out"
    out.mkdir()
    assert write_webdataset(entries(mixed, 1), out, shard_bytes=7000) == 12
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"fundiff-{n:06d}.tar" for n in range(6)]
    found = [item for file in files for item in members(file).items()]
    expected = list(entries(mixed, 1))
    assert [name for name, _ in found] == [
        f"{entry.name}.{suffix}" for entry in expected for suffix in ("json", "png")
    ]
    for entry, (_, facts), (_, data) in zip(expected, found[::2], found[1::2], strict=True):
        assert data == entry.png
        known = {name: value for name, value in entry.facts.items() if value not in (None, [])}
        assert json.loads(facts) == known


def test_the_same_export_gives_the_same_archive(tmp_path, mixed):
    """No times, no owners."""
    for name in ("a", "b"):
        export_pictures(mixed, tmp_path / name, 1, "webdataset")
    first, second = (tmp_path / name / "fundiff-000000.tar" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        said = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in archive}
    assert said == {(0, 0, 0, "", "", 0o644)}


def test_archives_load_although_kinds_have_scores_of_their_own(tmp_path, mixed, datasets):
    """`datasets` takes the columns from the first five, which here are all anagrams."""
    export_pictures(mixed, tmp_path / "out", 1, "webdataset")
    rows = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "out" / "*.tar"), split="train",
        cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    for row, entry in zip(rows, entries(mixed, 1), strict=True):
        assert row["__key__"] == entry.name
        assert np.array_equal(np.asarray(row["png"].convert("RGB")), pixels(entry.png))
        assert row["json"]["prompts"] == entry.facts["prompts"]
        assert row["json"]["score"] == entry.facts["score"]


@pytest.mark.parametrize("form", ["png", "csv", "hf", "webdataset"])
def test_no_file_is_named_by_a_prompt(tmp_path, mixed, form):
    """Every name is of an export's own making."""
    export_pictures(mixed, tmp_path / "out", 1, form)
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    assert names
    assert all(EXPORTED.fullmatch(name) for name in names)
    assert {path.name for path in tmp_path.iterdir()} == {"night", "out"}


def test_a_folder_holds_one_export(tmp_path, small_run):
    """Files that are there are never mixed with it; an earlier export gives way if told."""
    out = tmp_path / "best"
    out.mkdir()
    run("export", small_run, "-o", out, "-n", 2)
    before = sorted(path.name for path in out.iterdir())
    said = run("export", small_run, "-o", out, "-n", 1, code=1)
    assert "holds files already; give a new folder, or --replace" in said
    assert len(said.strip().splitlines()) == 1
    assert sorted(path.name for path in out.iterdir()) == before
    assert "2 pictures" in run("export", small_run, "-o", out, "-n", 1, "--replace")
    assert sorted(path.name for path in out.iterdir()) == [n for n in before if "-001-" in n]
    run("export", small_run, "-o", out, "--format", "hf", "--replace")
    run("export", small_run, "-o", out, "--format", "csv", "--replace")
    assert len(list(out.iterdir())) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_what_no_export_wrote_is_never_replaced(tmp_path, small_run):
    """A photograph, in the folder or below it."""
    for photograph in (tmp_path / "a" / "photo.png", tmp_path / "b" / "data" / "photo.png"):
        photograph.parent.mkdir(parents=True)
        photograph.write_bytes(b"mine")
        out = tmp_path / photograph.relative_to(tmp_path).parts[0]
        said = run("export", small_run, "-o", out, "--replace", code=1)
        assert "holds 'photo.png', which no export wrote" in said
        assert photograph.read_bytes() == b"mine"


def test_an_export_that_fails_leaves_things_as_they_were(tmp_path):
    """Nothing new, nothing hidden, and the earlier export still there."""
    name = f"{'a' * 16}-001-candidate-00000.png"
    with whole_folder(tmp_path / "out") as folder:
        (folder / name).write_bytes(b"earlier")

    def spill(path: Path) -> None:
        with whole_folder(path, replace=True) as folder:
            (folder / name).write_bytes(b"half")
            raise OSError("disk full")

    for out in ("out", "new"):
        with pytest.raises(OSError, match="disk full"):
            spill(tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / name).read_bytes() == b"earlier"


def test_an_export_that_cannot_take_its_place_puts_the_earlier_one_back(tmp_path):
    """Here because its folder is gone when it is to be renamed."""
    name = f"{'a' * 16}-001-candidate-00000.png"
    with whole_folder(tmp_path / "out") as folder:
        (folder / name).write_bytes(b"earlier")

    def vanish() -> None:
        with whole_folder(tmp_path / "out", replace=True) as folder:
            folder.rmdir()

    with pytest.raises(FileNotFoundError):
        vanish()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / name).read_bytes() == b"earlier"


def test_a_run_without_a_picture_exports_nothing(tmp_path):
    """One line, and no folder."""
    one = request()
    row = candidate(one.request_id, status="failed", reason="failed in stage 1", stage=0,
                    image=None, stage_1_image=None, error_type="ValueError",
                    error_message="no")  # fmt: skip
    folder = finished(tmp_path / "run", [one], [row])
    said = run("export", folder.path, "-o", tmp_path / "out", code=1)
    assert "no candidate of" in said
    assert len(said.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_from_elsewhere_is_exported_although_its_model_is_not_here(tmp_path):
    """The name of the model's folder is told, not the path to it."""
    one = request()
    folder = finished(tmp_path / "run", [one], [candidate(one.request_id, image=png(1))])
    config = json.loads(folder.run_json.read_text())
    folder.run_json.write_text(json.dumps(config | {"model": "/scratch/somebody/models/own"}))
    (entry,) = entries(folder, 1)
    assert entry.facts["model"] == "models/own"
    assert "somebody" not in json.dumps(entry.facts)


def test_a_hub_id_stays_as_it_is():
    """So does the embedded model's name."""
    assert public_name("DeepFloyd/IF-I-M-v1.0") == "DeepFloyd/IF-I-M-v1.0"
    assert public_name("mini") == "mini"


@given(st.lists(st.integers(0, 30)), st.integers(1, 40))
def test_a_stream_is_cut_where_the_next_item_would_not_fit(weights, bound):
    """All items in their order; a run above the bound is a single item; none could be longer."""
    cut = [list(run) for run in runs(weights, lambda weight: weight, bound)]
    assert [weight for run in cut for weight in run] == weights
    for run_ in cut:
        assert sum(run_) <= bound or sum(weight > 0 for weight in run_) == 1
    for this, following in pairwise(cut):
        assert sum(this) + following[0] > bound


def test_export_and_report_import_no_torch(tmp_path, small_run):
    """They answer at once."""
    code = (
        "import sys\n"
        "from jobs.cli import main\n"
        "run, out = sys.argv[1:]\n"
        "main(['report', run, '-o', out + '.html'], standalone_mode=False)\n"
        "for form in ('png', 'csv', 'hf', 'webdataset'):\n"
        "    main(['export', run, '-o', out + form, '--format', form], standalone_mode=False)\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'datasets'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(small_run), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(list(tmp_path.iterdir())) == 5


def test_settings_are_those_of_the_frozen_manifest(tmp_path):
    """The candidate's seed is its noise's; the request's own settings keep their names."""
    one = request(guidance_scale=3.5, sampler="ddim", seed=11, style="a lithograph of")
    folder = finished(tmp_path / "run", [one], [candidate(one.request_id, image=png(1), seed=77)])
    (entry,) = entries(folder, 1)
    asked = {"guidance_scale": 3.5, "sampler": "ddim", "seed": 77, "style": "a lithograph of"}
    assert {name: entry.facts[name] for name in asked} == asked
    assert entry.facts["prompts"] == list(one.prompts)
    assert replace(one, tags=("x",)).request_id == entry.facts["request_id"]
