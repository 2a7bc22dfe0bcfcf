"""Judges say what their models say, in any family and company; what cannot judge is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fundiff.catalogue import MINI
from fundiff.judges import BATCH, load_judge
from fundiff.models import ModelError
from tests.tiny_judges import JUDGES, LETTERS, write_naflex

CPU = torch.device("cpu")
PROMPTS = ["a skull", "a rocket ship", "A Skull", "people", "rocket" * 9, "rocket" * 8 + "people"]
"""With capitals, and the last two too long and the same as far as any model reads."""


@pytest.fixture(scope="module")
def judges(tmp_path_factory) -> dict[str, Path]:
    """A folder for each family."""
    root = tmp_path_factory.mktemp("judges")
    return {family: write(root / family) for family, write in JUDGES.items()}


def pictures(count: int) -> list[Tensor]:
    """Noise of different sizes."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, 8 + n, 8 + n, generator=generator) * 2 - 1 for n in range(count)]


def tokens(family: str, folder: Path, prompt: str) -> dict[str, Tensor]:
    """What the family was trained on for a prompt of letters and spaces, made by hand."""
    prompt = prompt.lower()
    mask: dict[str, Any] = {}
    if family in ("clip", "pickscore"):
        start, end = 2 * len(LETTERS), 2 * len(LETTERS) + 1
        ids = []
        for word in prompt.split():
            *inner, last = (LETTERS.index(letter) for letter in word)
            ids += [*inner, last + len(LETTERS)]
        length, padding = 20, end
        ids = [start, *ids[: length - 2], end]
        mask = {"attention_mask": torch.tensor([[1] * len(ids) + [0] * (length - len(ids))])}
    elif family == "siglip":
        pieces = sentencepiece.SentencePieceProcessor(str(folder / "spiece.model"))
        length, padding = 16, 1
        ids = [*pieces.encode(prompt)[: length - 1], 1]
    else:
        length, padding = 16, 0
        ids = [5 if letter == " " else LETTERS.index(letter) + 6 for letter in prompt]
        ids = [*ids[: length - 1], 1]
    return {"input_ids": torch.tensor([ids + [padding] * (length - len(ids))]), **mask}


@pytest.mark.parametrize("family", JUDGES)
def test_similarities_are_the_models_own(judges, family):
    """Its logits by its scale, less SigLIP's bias, for prompts tokenized as in training."""
    judge = load_judge(str(judges[family]), CPU)
    seen = pictures(5)
    pixels = torch.stack([judge.preprocessing(x) for x in seen])
    read = [tokens(family, judges[family], prompt) for prompt in PROMPTS]
    inputs = {name: torch.cat([each[name] for each in read]) for name in read[0]}
    with torch.inference_mode():
        logits = judge.model(pixel_values=pixels, **inputs).logits_per_image
    bias = getattr(judge.model, "logit_bias", 0)
    similarities = judge.image_embeds(seen) @ judge.text_embeds(PROMPTS).T
    torch.testing.assert_close(
        similarities, (logits - bias) / judge.model.logit_scale.exp(), atol=1e-5, rtol=0
    )
    assert float(similarities.std()) > 0.05


@pytest.mark.parametrize("family", JUDGES)
def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_company(judges, family):
    """Alone, among others, and beyond one batch: the same bits."""
    judge = load_judge(str(judges[family]), CPU)
    images = pictures(BATCH + 3)
    together = judge.image_embeds(images)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(BATCH + 3))
    for n in (0, 5, BATCH, BATCH + 2):
        assert torch.equal(judge.image_embeds([images[n]])[0], together[n])
    texts = load_judge(str(judges[family]), CPU).text_embeds(["a rocket ship"])
    torch.testing.assert_close(texts.norm(dim=-1), torch.ones(1))
    assert torch.equal(texts[0], judge.text_embeds(["a skull", "a rocket ship"])[1])


@pytest.mark.parametrize("family", JUDGES)
def test_case_does_not_matter_nor_what_is_beyond_the_limit(judges, family):
    """All were trained on lower case; what differs within the limit is told apart."""
    skull, rocket, capitals, _, long, longer = load_judge(str(judges[family]), CPU).text_embeds(
        PROMPTS
    )
    assert torch.equal(skull, capitals)
    assert torch.equal(long, longer)
    assert not torch.equal(skull, rocket)


@pytest.mark.parametrize("family", JUDGES)
def test_a_prompt_is_encoded_once(judges, family):
    """The second time, and within one list, the text model is not asked again."""
    judge = load_judge(str(judges[family]), CPU)
    passes = []
    judge.model.text_model.register_forward_hook(lambda *_: passes.append(1))
    first = judge.text_embeds(["a skull", "people", "a skull"])
    assert len(passes) == 2
    assert torch.equal(judge.text_embeds(["people", "a skull"]), first[1:])
    assert len(passes) == 2


def test_two_judges_do_not_share_what_they_have_read(judges):
    """Each has words of its own."""
    clip, siglip = (load_judge(str(judges[family]), CPU) for family in ("clip", "siglip"))
    assert clip.text_embeds(["people"]).shape == (1, 16)
    assert siglip.text_embeds(["people"]).shape == (1, 32)


@pytest.mark.parametrize("family", JUDGES)
def test_a_judges_temperature_is_that_of_its_logit_scale(judges, family):
    """The logarithm of its inverse is stored: 3 in these."""
    judge = load_judge(str(judges[family]), CPU)
    assert judge.temperature == pytest.approx(0.0497870684)


def test_half_weights_are_read_in_float32(judges, tmp_path):
    """A judge computes in float32 whatever it was stored in."""
    shutil.copytree(judges["clip"], tmp_path / "judge")
    weights = load_file(tmp_path / "judge" / "model.safetensors")
    halves = {name: weight.half() for name, weight in weights.items()}
    save_file(halves, tmp_path / "judge" / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "judge" / "config.json").read_text())
    (tmp_path / "judge" / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    judge = load_judge(str(tmp_path / "judge"), CPU)
    assert {parameter.dtype for parameter in judge.model.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in judge.model.parameters())
    assert judge.image_embeds(pictures(1)).dtype == torch.float32
    assert judge.text_embeds(["a skull"]).dtype == torch.float32


def test_a_revision_pins_what_is_taken_from_the_hub(judges, monkeypatch, tmp_path):
    """From the hub's cache, offline: the newest without one, or that of a tag or a commit."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cache = tmp_path / "models--someone--judge"
    (cache / "refs").mkdir(parents=True)
    for name, commit, family in (("main", "a" * 40, "clip"), ("v1", "b" * 40, "siglip")):
        (cache / "refs" / name).write_text(commit)
        shutil.copytree(judges[family], cache / "snapshots" / commit)
    for name, family in (("", "clip"), ("@v1", "siglip"), (f"@{'a' * 40}", "clip")):
        assert load_judge(f"someone/judge{name}", CPU).model.config.model_type == family
    with pytest.raises(ModelError, match="'someone/judge' is not in the local cache"):
        load_judge("someone/judge@v2", CPU)


def test_a_folder_may_have_an_at_in_its_name(judges, tmp_path):
    """It is no revision."""
    shutil.copytree(judges["clip"], tmp_path / "judge@v1")
    assert load_judge(str(tmp_path / "judge@v1"), CPU).model.config.model_type == "clip"


def refused(folder: Path) -> str:
    """What is said of a folder, in one line."""
    with pytest.raises(ModelError) as refusal:
        load_judge(str(folder), CPU)
    said = str(refusal.value)
    assert "\n" not in said
    assert len(said) < 450 + len(str(folder))
    assert f"judge {str(folder)!r}" in said
    return said


def test_a_model_that_is_no_judge_is_refused_with_an_example(tiny_if):
    """A T5 encoder cannot look at pictures."""
    said = refused(tiny_if / "stage-1" / "text_encoder")
    assert "it is a T5Model; choose a CLIP-like model such as openai/clip" in said


def test_pictures_cut_into_patches_are_refused(tmp_path):
    """SigLIP 2 with flexible resolution, from what its processor says."""
    said = refused(write_naflex(tmp_path / "naflex"))
    assert "need the Siglip2ImageProcessor, where fundiff resizes to one square" in said


def test_pickled_weights_are_never_read(judges, tmp_path):
    """A .bin file is no weights to us, even if it is all there is."""
    shutil.copytree(judges["clip"], tmp_path / "judge")
    weights = tmp_path / "judge" / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "judge" / "pytorch_model.bin")
    weights.unlink()
    assert "has no safetensors weights; fundiff reads no other kind" in refused(tmp_path / "judge")


def test_pickled_weights_beside_another_programs_safetensors_are_not_read_either(judges, tmp_path):
    """Some repositories hold open_clip's weights in safetensors, transformers' own as .bin."""
    shutil.copytree(judges["clip"], tmp_path / "judge")
    weights = tmp_path / "judge" / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "judge" / "pytorch_model.bin")
    weights.rename(tmp_path / "judge" / "open_clip_model.safetensors")
    assert "no file named model.safetensors" in refused(tmp_path / "judge")


def test_weights_that_are_missing_are_not_made_up(judges, tmp_path):
    """They would be started at random, and every score be noise."""
    shutil.copytree(judges["clip"], tmp_path / "judge")
    weights = load_file(tmp_path / "judge" / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "judge" / "model.safetensors", {"format": "pt"})
    said = refused(tmp_path / "judge")
    assert "1 of its weights are missing, such as text_projection.weight" in said


@pytest.mark.parametrize("changed", ["model_type", "auto_map"])
def test_a_model_that_transformers_does_not_know_is_refused_without_running_it(
    judges, tmp_path, changed
):
    """Neither an unknown type nor code that comes with the weights; nobody is asked either."""
    folder = tmp_path / "judge"
    shutil.copytree(judges["clip"], folder)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "own"}
    if changed == "auto_map":
        config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
        (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (folder / "config.json").write_text(json.dumps(config))
    assert "choose a CLIP-like model such as openai/clip" in refused(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_a_folder_that_lacks_a_file_is_refused(judges, tmp_path, file):
    """A clear line rather than a traceback out of transformers."""
    shutil.copytree(judges["siglip-2"], tmp_path / "judge")
    (tmp_path / "judge" / file).unlink()
    assert "choose a CLIP-like model such as openai/clip" in refused(tmp_path / "judge")


@pytest.mark.parametrize("family", JUDGES)
def test_a_judge_without_its_words_is_refused(judges, tmp_path, family):
    """Transformers makes up an empty vocabulary, and every prompt would score the same."""
    shutil.copytree(judges[family], tmp_path / "judge")
    file = "spiece.model" if family == "siglip" else "tokenizer.json"
    (tmp_path / "judge" / file).unlink()
    assert "choose a CLIP-like model such as openai/clip" in refused(tmp_path / "judge")


def test_a_judge_that_looks_for_another_end_of_the_text_is_refused(judges, tmp_path):
    """CLIP would read its answer from the first token, the same for all prompts."""
    shutil.copytree(judges["clip"], tmp_path / "judge")
    config = json.loads((tmp_path / "judge" / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 7
    (tmp_path / "judge" / "config.json").write_text(json.dumps(config))
    assert "all prompts are the same to it" in refused(tmp_path / "judge")


def test_the_embedded_judge_sees_pictures_of_32_pixels():
    """Its processor's settings lie in processor_config.json."""
    prepare = load_judge(str(MINI / "judge"), CPU).preprocessing
    half = (0.5, 0.5, 0.5)
    assert (prepare.resized, prepare.cropped, prepare.resample) == (32, 32, "bicubic")
    assert (prepare.mean, prepare.std) == (half, half)
