"""What a run was drawn and judged with, by names that mean something elsewhere."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from fundiff.catalogue import MINI
from jobs.config import RunConfig
from manifests.files import read_json
from manifests.layout import RunFolder


def origin_of(folder: RunFolder) -> dict[str, Any]:
    """Return the name, seed, models, judges and code version of a run."""
    config = RunConfig.from_json(read_json(folder.run_json))
    stage_2, judges = config.stage_2 or "", config.judges
    with suppress(ValueError):  # the model's folder may be on another machine
        stage_2, judges = config.cascade.stage_2, config.selecting
    return {
        "run": folder.path.resolve().name,
        "run_seed": config.seed,
        "model": public_name(config.model),
        "stage_2_model": public_name(stage_2),
        "judges": [public_name(judge) for judge in judges],
        "held_out_judge": public_name(config.held_out or ""),
        "code_version": config.code_version,
    }


def public_name(model: str) -> str:
    """Return the name of a model without the path that leads to it on this machine."""
    path = Path(model)
    if path.is_relative_to(MINI):
        return f"mini/{path.name}"
    return "/".join(path.parts[-2:]) if path.is_absolute() else model
