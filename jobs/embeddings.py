"""The text of a run: every unique prompt encoded once, before any picture is drawn."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import RunConfig
from manifests.files import read_json, write_json, write_whole
from manifests.layout import RunFolder
from manifests.manifest import prompts_of

if TYPE_CHECKING:
    from torch import Tensor

TENSORS, TABLE = "prompts.safetensors", "prompts.json"


def encode_prompts(run: str) -> int:
    """Encode the unique prompts of a run into its embeddings folder; return how many there are.

    Does nothing if it has been done: the table is written last.

    Args:
        run: Path of the run folder.
    """
    folder = RunFolder(Path(run))
    if (folder.embeddings / TABLE).is_file():
        return len(read_json(folder.embeddings / TABLE))

    from safetensors.torch import save_file

    from fundiff.models import choose_device, choose_dtype, load_text_encoder, quiet
    from fundiff.prompts import encode

    config = RunConfig.from_json(read_json(folder.run_json))
    quiet()
    device = choose_device(config.device)
    dtype = choose_dtype(config.dtype, device)
    text = load_text_encoder(config.cascade.stage_1, device, dtype, config.revision)
    embeddings = encode(prompts_of(folder.manifest), *text)

    folder.embeddings.mkdir(exist_ok=True)
    rows = {str(row): tensor for row, tensor in enumerate(embeddings.values())}
    write_whole(folder.embeddings / TENSORS, lambda path: save_file(rows, path))
    write_json(folder.embeddings / TABLE, {prompt: row for row, prompt in enumerate(embeddings)})
    return len(rows)


def load_embeddings(folder: RunFolder, prompts: Iterable[str]) -> dict[str, "Tensor"]:
    """Return the embeddings of these prompts, reading no others.

    Raises:
        ValueError: If the prompts of this run have not been encoded.
    """
    from safetensors import safe_open

    table_path = folder.embeddings / TABLE
    if not table_path.is_file():
        raise ValueError(f"{folder.embeddings} holds no {TABLE}: the prompts were not encoded yet")
    table = json.loads(table_path.read_text())
    with safe_open(folder.embeddings / TENSORS, framework="pt") as tensors:
        return {prompt: tensors.get_tensor(str(table[prompt])) for prompt in set(prompts)}
