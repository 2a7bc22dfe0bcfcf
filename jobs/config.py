"""What a run was asked to do: run.json as a value."""

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from fundiff.catalogue import Cascade, cascade

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything besides the manifest that decides what a run draws, and how.

    Attributes:
        model: `mini`, a hub id or a folder: what `fundiff.catalogue.cascade` is asked for.
        stage_2: Hub id or folder of the second stage, if not the model's own.
        judges: Hub ids or folders of the CLIP-like models that select; none are the model's own.
        held_out: Hub id or folder of a judge that only reports, or None.
        bars: Kind -> least final score of requests that name no bar, from a calibration.
        revision: Git revision of the two stages on the hub, or None.
        seed: Of the run; a request's own seed goes before it.
        stage_1_lanes: Rows of stage I's batch. Another number gives other bits.
        stage_2_lanes: Rows of stage II's batch. Another number gives other bits.
        dtype: `float16`, `bfloat16`, `float32`, or None for the device's own.
        device: Such as `cuda`, or None for a GPU if there is one.
        flush_s: Seconds between writes of what has been drawn.
        manifest_sha256: Of the frozen manifest.
        profile: Name of the SLURM profile.
        code_version: Of fundiff.
        schema_version: Of this file.
    """

    model: str
    stage_2: str | None = None
    judges: tuple[str, ...] = ()
    held_out: str | None = None
    bars: dict[str, float] = field(default_factory=dict)
    manifest_sha256: str = ""
    revision: str | None = None
    seed: int = 0
    stage_1_lanes: int = 16
    stage_2_lanes: int = 8
    dtype: str | None = None
    device: str | None = None
    flush_s: float = 30.0
    profile: str = ""
    code_version: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def cascade(self) -> Cascade:
        """Where the run's models come from."""
        return cascade(self.model, self.stage_2, self.revision)

    @property
    def selecting(self) -> tuple[str, ...]:
        """The judges that select, the first of which is measured against a bar."""
        return self.judges or (self.cascade.judge,)

    @property
    def all_judges(self) -> tuple[str, ...]:
        """Those that select, and the held-out one last."""
        return (*self.selecting, *filter(None, [self.held_out]))

    def to_json(self) -> dict[str, Any]:
        """Return what run.json holds."""
        return asdict(self) | {"judges": list(self.judges)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RunConfig":
        """Return the config that run.json holds.

        Raises:
            ValueError: If it was written by another version of the format.
        """
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"run.json has schema_version {data.get('schema_version')}, this fundiff reads "
                f"{SCHEMA_VERSION}; use the fundiff that made the run ({data.get('code_version')})"
            )
        return cls(**data | {"judges": tuple(data["judges"])})


def code_version() -> str:
    """Return the version of fundiff that runs."""
    return version("fundiff")
