"""Which repositories belong together as a cascade. No torch here: a launcher asks this first."""

import json
from dataclasses import dataclass
from pathlib import Path

MINI = Path(__file__).parent / "mini" / "weights"

STAGE_2 = {
    "DeepFloyd/IF-I-M-v1.0": "DeepFloyd/IF-II-M-v1.0",
    "DeepFloyd/IF-I-L-v1.0": "DeepFloyd/IF-II-L-v1.0",
    "DeepFloyd/IF-I-XL-v1.0": "DeepFloyd/IF-II-L-v1.0",
}
"""The second stage that DeepFloyd pairs with each first stage."""

SIZES = {"IF-I-": 64, "IF-II-": 256}
"""What the stages of DeepFloyd IF draw, by a part of their names."""

DEFAULT_JUDGE = "openai/clip-vit-large-patch14"


class ModelError(ValueError):
    """A model cannot be had or used; the message says what to do."""


def hub_id(model: str) -> str:
    """Return a model's name if it can be one of a hub repository.

    Raises:
        ModelError: If it cannot.
    """
    if model.count("/") != 1 or model.startswith(("/", ".", "~")):
        raise ModelError(
            f"model {model!r} is neither a folder here nor a hub id; "
            "give mini, owner/name, or the path of a folder"
        )
    return model


def absolute(model: str) -> str:
    """Return a folder's absolute path, since tasks may start elsewhere; a name stays a name."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() and model != "mini" else model


def picture_size(model: str) -> int | None:
    """Return the side in pixels of what a stage draws, or None if its files are not here."""
    config = Path(model).expanduser() / "unet" / "config.json"
    if config.is_file():
        return int(json.loads(config.read_text())["sample_size"])
    return next((size for name, size in SIZES.items() if name in model), None)


@dataclass(frozen=True, slots=True)
class Cascade:
    """Where the models of a run come from: hub ids or folders.

    Attributes:
        stage_1: Repository of the first UNet and of the text encoder.
        stage_2: Repository of the second UNet.
        judge: The CLIP-like model that scores, unless others are named: `mini` or a repository.
        revision: Git revision of the hub repositories of the two stages; None is the newest.
    """

    stage_1: str
    stage_2: str
    judge: str
    revision: str | None = None

    def check_folders(self) -> None:
        """Refuse what is plainly no model, without loading anything.

        Raises:
            ModelError: If a part is a folder without its files, or neither folder nor hub id.
        """
        for model, file in (
            (self.stage_1, "unet/config.json"),
            (self.stage_1, "text_encoder/config.json"),
            (self.stage_2, "unet/config.json"),
        ):
            check_folder(model, file)


def check_folder(model: str, file: str) -> None:
    """Refuse what is plainly no model: a folder without a file that it must have, or no hub id.

    Args:
        model: `mini`, which is always there, a folder, or a hub id.
        file: That a folder must have.

    Raises:
        ModelError: With what is missing.
    """
    if model == "mini":
        return
    folder = Path(model).expanduser()
    if not folder.is_dir():
        hub_id(model)
    elif not (folder / file).is_file():
        raise ModelError(f"model folder {folder} has no {file}; it needs the hub's layout")


def cascade(model: str, stage_2: str | None = None, revision: str | None = None) -> Cascade:
    """Return the cascade that a model's name stands for.

    Args:
        model: `mini`, a hub id, a folder with the layout of a hub repository, or a folder with
            such folders named stage-1, stage-2 and perhaps judge.
        stage_2: Overrides the second stage.
        revision: Git revision of hub repositories.

    Raises:
        ValueError: If no second stage is known for the model.
    """
    judge = DEFAULT_JUDGE
    folder = MINI if model == "mini" else Path(model).expanduser()
    if model == "mini" or (folder / "stage-1").is_dir():
        model = str(folder / "stage-1")
        stage_2 = stage_2 or str(folder / "stage-2")
        if (folder / "judge").is_dir():
            judge = "mini" if folder == MINI else str(folder / "judge")
    stage_2 = stage_2 or STAGE_2.get(model)
    if stage_2 is None:
        raise ValueError(
            f"no second stage is known for model {model!r}; name one with --stage-2, "
            f"or choose from mini, {', '.join(STAGE_2)}"
        )
    return Cascade(model, stage_2, judge, revision)
