"""What a run was asked to do: run.json as a value."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything besides the manifest that decides what a run draws, and how.

    Attributes:
        stage_1: Hub id or folder of the first stage and the text encoder.
        stage_2: Hub id or folder of the second stage.
        judge: Hub id or folder of the CLIP-like model that scores.
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

    stage_1: str
    stage_2: str
    judge: str
    manifest_sha256: str
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

    def to_json(self) -> dict[str, Any]:
        """Return what run.json holds."""
        return asdict(self)

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
        return cls(**data)


def code_version() -> str:
    """Return the version of fundiff that runs."""
    return version("fundiff")
