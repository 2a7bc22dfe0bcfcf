"""Profiles: named sets of SLURM resources, one TOML file each."""

import math
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

BUILT_IN = Path(__file__).with_name("profiles")
DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a task asks of SLURM; what is None is left to the cluster's defaults.

    Attributes:
        name: Of the file, without `.toml`.
        partition, account, qos, gres, constraint, exclude, nodelist: As sbatch has them.
        gpus_per_task: GPUs of a task; `gres` is the other way to ask for them.
        cpus_per_task: CPUs of a task.
        mem_gb: Memory of a task.
        timeout_min: Walltime.
        signal_delay_s: How long before the walltime a task is told to stop.
        max_num_timeout: How often a task may reach its walltime and be queued again.
        setup: Lines of shell that run in the job before python.
        array_parallelism: Tasks of an array that run at once.
        lanes, stage_2_lanes: Rows of the batches of the two stages.
        dtype: float32, float16 or bfloat16.
    """

    name: str
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    gpus_per_task: int | None = None
    cpus_per_task: int = 1
    mem_gb: float | None = None
    timeout_min: int = 240
    signal_delay_s: int = 120
    max_num_timeout: int = 20
    constraint: str | None = None
    exclude: str | None = None
    nodelist: str | None = None
    setup: tuple[str, ...] = ()
    array_parallelism: int = 256
    lanes: int | None = None
    stage_2_lanes: int | None = None
    dtype: str | None = None

    @property
    def has_gpu(self) -> bool:
        """Whether a task gets a GPU."""
        return bool(self.gpus_per_task) or "gpu" in (self.gres or "")

    @property
    def device(self) -> str | None:
        """What a task draws on if nobody says: a GPU that is missing must show."""
        return "cuda" if self.has_gpu else None

    def __post_init__(self) -> None:
        for key in ("gpus_per_task", "cpus_per_task", "mem_gb", "timeout_min", "signal_delay_s",
                    "array_parallelism", "lanes", "stage_2_lanes"):  # fmt: skip
            value = getattr(self, key)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{key} is {value}; it must be more than 0")
        for key in ("partition", "account", "qos", "gres", "constraint", "exclude", "nodelist"):
            text = getattr(self, key)
            if text is not None and (not text or any(c.isspace() for c in text)):
                raise ValueError(f"{key} is {text!r}; write one word, or leave it out")
        if self.gres and "gpu" in self.gres and self.gpus_per_task:
            raise ValueError(
                f"gres is {self.gres!r} and gpus_per_task {self.gpus_per_task}; "
                "both ask for GPUs, give one of them"
            )
        if self.max_num_timeout < 0:
            raise ValueError(f"max_num_timeout is {self.max_num_timeout}; it must be 0 or more")
        if self.dtype not in (None, *DTYPES):
            raise ValueError(f"dtype is {self.dtype!r}; choose from {', '.join(DTYPES)}")
        if self.timeout_min <= 10:
            raise ValueError(
                f"timeout_min is {self.timeout_min}; with 10 min or less submitit counts every "
                f"preemption as a time-out and gives the task up; set it to 11 or more"
            )
        if self.timeout_min * 60 < self.signal_delay_s + 60:
            raise ValueError(
                f"timeout_min is {self.timeout_min} and signal_delay_s {self.signal_delay_s}; "
                "SLURM would tell the task to stop as soon as it starts; leave at least 60 s "
                "between start and signal"
            )


def user_folder() -> Path:
    """Return the folder of a user's own profiles: ~/.config/fundiff/profiles, or below XDG's."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "fundiff" / "profiles"


def load_profile(name: str, folders: Sequence[Path] | None = None) -> Profile:
    """Return the profile of a name, or of a TOML file.

    Args:
        name: Such as `a100`, or a path that ends in `.toml`.
        folders: Where the user keeps profiles; `user_folder()` if not given. The built-in ones
            come last, so a user's profile may take the name of a built-in one.

    Raises:
        ValueError: If there is no such profile, or one that cannot work; one line.
    """
    if name.endswith(".toml"):
        return read_profile(Path(name))
    known = _files(folders)
    if name not in known:
        asked = ", ".join(str(folder) for folder in _folders(folders))
        raise ValueError(
            f"profile {name!r} is unknown; choose from {', '.join(sorted(known))}, "
            f"or write {name}.toml in one of: {asked}"
        )
    return read_profile(known[name])


def list_profiles(folders: Sequence[Path] | None = None) -> list[str]:
    """Return the names that `load_profile` knows, sorted."""
    return sorted(_files(folders))


def read_profile(file: Path) -> Profile:
    """Return the profile in a TOML file.

    Raises:
        ValueError: If the file is missing, is no TOML, or holds what no profile has; one line.
    """
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise ValueError(f"{file} does not exist; `fundiff profiles` lists profiles") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{file} cannot be read as TOML: {error}") from None

    types = {field.name: field.type for field in fields(Profile) if field.name != "name"}
    if unknown := [key for key in content if key not in types]:
        raise ValueError(f"{file}: {unknown[0]!r} is unknown; choose from {', '.join(types)}")
    values = {key: _checked(file, key, value, types[key]) for key, value in content.items()}
    try:
        return Profile(name=file.stem, **values)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _checked(file: Path, key: str, value: object, wanted: Any) -> Any:
    """Return the value as the dataclass has it."""
    if get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return tuple(value)
        raise ValueError(f"{file}: {key} is {value!r}; it must be a list of strings")
    (kind,) = set(get_args(wanted)) - {NoneType} if isinstance(wanted, UnionType) else {wanted}
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    word = {str: "a string", int: "a whole number", float: "a number"}[kind]
    raise ValueError(f"{file}: {key} is {value!r}; it must be {word}")


def _folders(folders: Sequence[Path] | None) -> list[Path]:
    """Return where profiles are looked for, in order."""
    return [*([user_folder()] if folders is None else folders), BUILT_IN]


def _files(folders: Sequence[Path] | None) -> dict[str, Path]:
    """Return the file of each profile by name; an earlier folder wins."""
    known: dict[str, Path] = {}
    for folder in reversed(_folders(folders)):
        known |= {file.stem: file for file in folder.glob("*.toml")}
    return known


def profile_for(cluster: str, name: str | None) -> Profile:
    """Return the named profile, or the built-in `gpu` on SLURM and `cpu` elsewhere."""
    return load_profile(name or ("gpu" if cluster == "slurm" else "cpu"))
