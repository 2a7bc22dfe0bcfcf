"""The documentation says what is so."""

import re
from pathlib import Path

import click
import pytest

from jobs.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("fundiff/mini/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_resolves(page):
    """Links to files and folders of the project."""
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def commands(group: click.Group, path: str = "fundiff") -> dict[str, click.Command]:
    """Every command by what one types."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


def test_the_readme_lists_every_command_and_no_other():
    """The table of commands."""
    listed = re.findall(r"^\| `(fundiff [a-z ]+)` \|", (ROOT / "README.md").read_text(), re.M)
    assert sorted(listed) == sorted(commands(main))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_shown_would_be_understood(page):
    """Name and options exist; arguments are of the right number."""
    known = commands(main)
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S):
        for line in block.splitlines():
            words = line.split("#")[0].replace('"', "").split()
            if not words or words[0] != "fundiff":
                continue
            name = " ".join(words[: 3 if words[1] == "manifest" else 2])
            assert name in known, line
            options = {opt for p in known[name].params for opt in p.opts}
            used = {word for word in words if word.startswith("-")}
            assert used <= options | {"--help"}, line


def test_the_manifests_columns_are_documented_with_their_defaults():
    """The table in docs/manifest.md is the schema's."""
    from manifests.check import DEFAULT_STRENGTH
    from manifests.records import Request
    from manifests.schemas import MANIFEST

    page = (ROOT / "docs" / "manifest.md").read_text().split("## Kinds")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.M))
    assert list(table) == [name for name in MANIFEST.names if name != "request_id"]
    fields = Request.__dataclass_fields__
    assert table.pop("strength") == f"{DEFAULT_STRENGTH} unless `start` is given"
    for name, said in table.items():
        if said.strip("`").replace(".", "").isdigit():
            assert float(said.strip("`")) == fields[name].default, name


def test_the_columns_of_the_results_are_documented_as_the_schemas_describe_them():
    """The tables of docs/results.md."""
    from manifests.schemas import INDEX, PICKS, RESULTS, SCORES, UPSCALED

    page = (ROOT / "docs" / "results.md").read_text()
    sections = [re.findall(r"^\| `(\w+)` \| (.*) \|$", part, re.M) for part in page.split("\n## ")]
    tables = (INDEX, RESULTS, UPSCALED, SCORES, PICKS)
    for found, schema in zip(sections[1 : len(tables) + 1], tables, strict=True):
        described = [(f.name, f.metadata[b"description"].decode()) for f in schema]
        assert found == described


def test_the_kinds_are_documented_with_what_they_take():
    """The table in docs/manifest.md is the one in the code."""
    from manifests.kinds import KINDS

    page = (ROOT / "docs" / "manifest.md").read_text().split("## Kinds")[1].split("## Views")[0]
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    assert [row[1].strip("`") for row in rows] == list(KINDS)
    for row, kind in zip(rows, KINDS.values(), strict=True):
        assert kind.describe_prompts().startswith(row[2]), row
        assert re.findall(r"`(\w+)`", row[3]) == list(kind.needs), row


def test_every_view_is_documented_as_one_would_write_it():
    """The tables in docs/manifest.md, and every algorithm's page of proofs."""
    from fundiff.samplers import SAMPLERS
    from fundiff.view_names import names
    from manifests.kinds import KINDS

    page = (ROOT / "docs" / "manifest.md").read_text()
    missing = [name for name in names() if f"`{name}`" not in page]
    assert missing == ["scale:0.5"]  # shown with another factor
    proofs = (ROOT / "docs" / "algorithms.md").read_text()
    assert [name for name in (*KINDS, *SAMPLERS) if f"`{name}`" not in proofs] == []


def test_the_files_in_the_readme_exist():
    """The tree, one comment per file."""
    readme = (ROOT / "README.md").read_text()
    tree = readme.split("## The files")[1].split("```")[1]
    folder = ""
    for line in tree.strip().splitlines():
        if not line.startswith(" "):
            folder = line.split()[0]
        for name in re.findall(r"[\w]+\.py|[\w/]+/(?=\s)", line):
            path = name if name == folder else f"{folder}{name}"
            assert (ROOT / path).exists(), path


def test_the_example_profile_of_the_readme_is_valid(tmp_path):
    """As it stands there."""
    from slurm.profiles import load_profile

    text = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert text is not None
    path = tmp_path / "night.toml"
    path.write_text(re.sub(r"^   ", "", text.group(1), flags=re.M))
    assert load_profile(str(path)).gres == "gpu:a100:1"


def test_the_example_sources_of_the_documentation_are_valid(tmp_path):
    """The CSV of the README and the YAML of the manifest's page."""
    from jobs.reading import read_requests_from

    for page, language, count in (("README.md", "csv", 3), ("docs/manifest.md", "yaml", 5)):
        text = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.S)
        assert text is not None
        source = tmp_path / f"source.{language}"
        source.write_text(re.sub(r"^   ", "", text.group(1), flags=re.M))
        requests, problems = read_requests_from(source)
        assert problems == []
        assert len(requests) == count


def test_the_figures_of_best_of_n_are_those_of_the_recorded_candidates():
    """The policies, replayed over the records that lie beside the page, print its tables."""
    from benchmarks.best_of_n.replay import read_pairs, report

    page = (ROOT / "docs" / "best-of-n.md").read_text()
    lines = list(report(read_pairs(ROOT / "docs" / "best-of-n" / "recorded.parquet")))
    assert len(lines) == 23
    assert "\n".join(lines).replace("\n\n", "\n") in page.replace("\n\n", "\n")
