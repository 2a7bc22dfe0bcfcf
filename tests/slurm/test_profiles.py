"""Reading profiles."""

from pathlib import Path

import pytest

from slurm.profiles import BUILT_IN, Profile, list_profiles, load_profile, user_folder

EVERY_KEY = """\
partition = "gpu"
account = "art"
qos = "night"
gres = "nvme:1"
gpus_per_task = 1
cpus_per_task = 8
mem_gb = 62.5
timeout_min = 480
signal_delay_s = 180
max_num_timeout = 3
constraint = "a100&80gb"
exclude = "n[1-2]"
nodelist = "n3"
setup = ["module load cuda", "export A=b"]
array_parallelism = 64
lanes = 128
stage_2_lanes = 64
dtype = "bfloat16"
"""


@pytest.fixture
def write(tmp_path):
    """Write a profile into a user's folder and return that folder."""

    def write_profile(text: str, name: str = "mine") -> Path:
        (tmp_path / f"{name}.toml").write_text(text)
        return tmp_path

    return write_profile


@pytest.mark.parametrize("name", ["a100", "cpu", "gpu", "h100"])
def test_every_built_in_profile_loads(name):
    """The examples that ship are profiles that can work."""
    assert load_profile(name, []).name == name


def test_every_key_reaches_the_profile(write):
    """A whole number is fine where a fraction is, and a list becomes a tuple."""
    profile = load_profile("mine", [write(EVERY_KEY)])
    assert profile.mem_gb == 62.5
    assert profile.setup == ("module load cuda", "export A=b")
    written = {line.split(" = ")[0] for line in EVERY_KEY.splitlines()}
    assert written | {"name"} == set(Profile.__dataclass_fields__)
    assert all(getattr(profile, key) != getattr(Profile("other"), key) for key in written)


def test_a_users_profile_takes_the_place_of_a_built_in_one(write):
    """The user's folder comes first."""
    folder = write('partition = "ours"', "a100")
    assert load_profile("a100", [folder]).partition == "ours"
    assert list_profiles([folder]) == ["a100", "cpu", "gpu", "h100"]


def test_a_path_is_a_profile_too(write):
    """What ends in .toml is a file, wherever it lies."""
    assert load_profile(str(write("lanes = 3") / "mine.toml"), []).lanes == 3


def test_the_users_folder_follows_xdg(monkeypatch, tmp_path):
    """XDG_CONFIG_HOME moves it; without one it is ~/.config."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "fundiff" / "profiles"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert user_folder() == Path.home() / ".config" / "fundiff" / "profiles"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpus = 1", "'gpus' is unknown; choose from partition, account"),
        ('timeout_min = "4h"', "timeout_min is '4h'; it must be a whole number"),
        ("timeout_min = 30.5", "timeout_min is 30.5; it must be a whole number"),
        ("cpus_per_task = true", "cpus_per_task is True; it must be a whole number"),
        ("partition = 3", "partition is 3; it must be a string"),
        ('partition = "a\\nscancel -u me"', "write one word, or leave it out"),
        ('account = ""', "write one word, or leave it out"),
        ('gres = "gpu:1"\ngpus_per_task = 1', "both ask for GPUs"),
        ('mem_gb = "64G"', "mem_gb is '64G'; it must be a number"),
        ("mem_gb = nan", "mem_gb is nan; it must be more than 0"),
        ('setup = "module load cuda"', "it must be a list of strings"),
        ("setup = [1]", "it must be a list of strings"),
        ("lanes = 0", "lanes is 0; it must be more than 0"),
        ('dtype = "fp16"', "dtype is 'fp16'; choose from float32, float16, bfloat16"),
        ("timeout_min = ", "cannot be read as TOML"),
        ("timeout_min = 10", "every preemption as a time-out.*set it to 11 or more"),
        ("timeout_min = 11\nsignal_delay_s = 601", "stop as soon as it starts"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_in_one_line(write, text, words):
    """The line names the file, what was got, and what is allowed."""
    folder = write(text)
    with pytest.raises(ValueError, match=words) as caught:
        load_profile("mine", [folder])
    assert str(folder / "mine.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shortest_walltime_that_works_is_accepted(write):
    """Eleven minutes, told to stop one minute after the start."""
    folder = write("timeout_min = 11\nsignal_delay_s = 600")
    assert load_profile("mine", [folder]).timeout_min == 11


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    """And says where to put one's own."""
    with pytest.raises(ValueError, match=r"'a10' is unknown; choose from a100, cpu.*a10\.toml"):
        load_profile("a10", [tmp_path])


def test_a_missing_file_is_named(tmp_path):
    """A path that leads nowhere is no unknown name."""
    with pytest.raises(ValueError, match=r"none\.toml does not exist"):
        load_profile(str(tmp_path / "none.toml"))


def test_the_built_in_profiles_are_in_the_package():
    """They are installed with it."""
    assert BUILT_IN.parent == Path(__file__).parents[2] / "slurm"
