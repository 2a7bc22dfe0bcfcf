"""The four import names are ours, and what must be light is light."""

import importlib
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jobs", "fundiff", "manifests", "slurm")


@pytest.mark.parametrize("name", PACKAGES)
def test_an_import_name_resolves_to_our_files(name):
    """PyPI has packages of the names slurm and manifests."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == ROOT / name


@pytest.mark.parametrize("name", PACKAGES)
def test_an_import_name_belongs_to_our_distribution_alone(name):
    """No other installed distribution claims it."""
    owners = set(packages_distributions().get(name, ["fundiff"]))
    assert owners == {"fundiff"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["status", "--help"],
        ["manifest", "check", "tests/jobs/pairs.csv"],
        ["status", "RUN", "--json"],
        ["top", "RUN"],
    ],
)
def test_commands_that_plan_look_or_rank_do_not_import_torch(arguments, small_run):
    """They answer at once."""
    words = [str(small_run) if word == "RUN" else word for word in arguments]
    code = (
        "import sys\n"
        "from jobs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code, file=sys.stderr)\n"
        "found = {'torch', 'diffusers', 'transformers', 'submitit'} & set(sys.modules)\n"
        "print('heavy:', sorted(found), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-2:] == ["0", "heavy: []"], done.stderr


def test_the_requirements_do_not_raise_torch():
    """A newer torch would pull gigabytes of CUDA packages."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch>=2.6,<2.14" in project["dependencies"]
    extras = [r for rs in project["optional-dependencies"].values() for r in rs]
    assert not [r for r in [*project["dependencies"], *extras] if r.startswith("torchvision")]
