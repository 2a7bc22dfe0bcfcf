"""Loading from folders of IF's layout, and clear words where it cannot be."""

import shutil

import pytest
import torch

from fundiff import models
from fundiff.catalogue import MINI, ModelError, cascade, picture_size
from fundiff.models import choose_device, choose_dtype, load_stage, load_text_encoder
from fundiff.prompts import TOKENS, encode

CPU = torch.device("cpu")


def test_only_what_is_needed_is_loaded(tiny_if):
    """The folders' safety checker, watermarker and second text encoder would raise."""
    for stage, parts in (
        ("stage-1", ("safety_checker", "watermarker")),
        ("stage-2", ("safety_checker", "watermarker", "text_encoder")),
    ):
        for part in parts:
            assert (tiny_if / stage / part / "model.safetensors").read_bytes() == b"not weights"
        load_stage(str(tiny_if / stage), CPU, torch.float32)


def test_the_layout_is_that_of_the_deepfloyd_repositories(tiny_if):
    """Sentencepiece tokenizer, sharded text encoder, fp16 variants."""
    encoder = {file.name for file in (tiny_if / "stage-1" / "text_encoder").iterdir()}
    assert {"model-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"} <= encoder
    assert (tiny_if / "stage-1" / "tokenizer" / "spiece.model").is_file()
    assert not (tiny_if / "stage-1" / "tokenizer" / "tokenizer.json").exists()


def test_each_stage_comes_with_its_own_schedule(tiny_if):
    """Thresholding differs between the stages; only the second notes its conditioning noise."""
    first = load_stage(str(tiny_if / "stage-1"), CPU, torch.float32)
    second = load_stage(str(tiny_if / "stage-2"), CPU, torch.float32)
    assert (first.size, second.size) == (8, 32)
    assert (first.schedule.sample_max_value, second.schedule.sample_max_value) == (1.5, 1.0)
    assert first.schedule.thresholding_ratio == 0.95
    assert first.image_noising_schedule is None
    assert second.image_noising_schedule is not None
    assert not any(parameter.requires_grad for parameter in second.unet.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_half_dtype_reads_the_fp16_files_and_float32_the_full_ones(tiny_if, tmp_path, dtype):
    """The unwanted set is removed, so reading it would fail."""
    folder = tmp_path / "stage-1"
    shutil.copytree(tiny_if / "stage-1", folder)
    for file in folder.rglob("*.safetensors"):
        if (".fp16" in file.name) == (dtype == torch.float32):
            file.unlink()
    assert load_stage(str(folder), CPU, dtype).unet.dtype == dtype
    assert load_text_encoder(str(folder), CPU, dtype)[1].dtype == dtype


def test_float32_makes_do_with_fp16_files(tiny_if, tmp_path):
    """The embedded model ships nothing else."""
    shutil.copytree(tiny_if / "stage-1", tmp_path / "m")
    (tmp_path / "m" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert load_stage(str(tmp_path / "m"), CPU, torch.float32).unet.dtype == torch.float32


def test_pickled_weights_are_never_read(tiny_if, tmp_path):
    """A .bin file is no weights to us, even if it is all there is."""
    shutil.copytree(tiny_if / "stage-1", tmp_path / "m")
    for file in (tmp_path / "m" / "unet").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match="holds no safetensors weights"):
        load_stage(str(tmp_path / "m"), CPU, torch.float32)


def test_prompts_are_encoded_once_each_lower_cased_and_by_themselves(tiny_if):
    """What a prompt's embedding is does not depend on the other prompts, to the bit."""
    text = load_text_encoder(str(tiny_if / "stage-1"), CPU, torch.float32)
    alone = encode(["a photo of a dog"], *text)["a photo of a dog"]
    together = encode(["", " A Photo of a DOG ", "a photo of a dog", ""], *text)
    assert list(together) == ["", " A Photo of a DOG ", "a photo of a dog"]
    assert alone.shape == (TOKENS, 32)
    assert torch.equal(together["a photo of a dog"], alone)
    assert torch.equal(together[" A Photo of a DOG "], alone)


def test_a_model_that_is_nowhere_is_named_with_what_to_give():
    """Neither folder nor hub id."""
    with pytest.raises(ModelError, match="neither a folder here nor a hub id"):
        load_stage("no-such-model", CPU, torch.float32)


def test_a_folder_of_another_layout_is_refused(tmp_path):
    """It says what is missing."""
    with pytest.raises(ModelError, match="has no unet/"):
        load_stage(str(tmp_path), CPU, torch.float32)


def test_a_hub_that_is_out_of_reach_is_told_from_a_missing_model(monkeypatch, tmp_path):
    """Offline with an empty cache: the words say what to do."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="hub cannot be reached"):
        load_stage("DeepFloyd/IF-I-M-v1.0", CPU, torch.float32)


def test_a_gpu_that_is_too_small_is_refused_with_figures():
    """Before anything is loaded."""
    with pytest.raises(
        ModelError, match=r"needs 8\.0 GiB, but the GPU has 6\.0 GiB free of 11\.0"
    ):
        models.require_memory("IF-I-XL (unet)", 8 * 2**30, 6 * 2**30, 11 * 2**30)
    models.require_memory("IF-I-M (unet)", 2**30, 6 * 2**30, 11 * 2**30)


def test_device_and_dtype_are_chosen_sensibly():
    """float16 on a GPU, float32 on a CPU, and no GPU is invented."""
    assert choose_dtype(None, torch.device("cuda")) == torch.float16
    assert choose_dtype(None, CPU) == torch.float32
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16
    with pytest.raises(ModelError, match="choose from float32, float16, bfloat16"):
        choose_dtype("int8", CPU)
    if not torch.cuda.is_available():
        assert choose_device() == CPU
        with pytest.raises(ModelError, match="sees no GPU"):
            choose_device("cuda")


def test_the_name_of_a_cascade_stands_for_its_stages(tiny_if):
    """A hub id knows its partner; a folder may hold both."""
    assert cascade("DeepFloyd/IF-I-XL-v1.0").stage_2 == "DeepFloyd/IF-II-L-v1.0"
    assert cascade(str(tiny_if)).stage_2 == str(tiny_if / "stage-2")
    assert cascade("mini").stage_1 == str(MINI / "stage-1")
    with pytest.raises(ValueError, match="no second stage is known"):
        cascade("someone/else")


def test_the_size_of_a_stages_pictures_is_known_before_it_is_loaded(tiny_if):
    """From the folder's configuration, or by the name of DeepFloyd's stages."""
    assert [picture_size(str(tiny_if / stage)) for stage in ("stage-1", "stage-2")] == [8, 32]
    assert picture_size("DeepFloyd/IF-I-M-v1.0") == 64
    assert picture_size("DeepFloyd/IF-II-L-v1.0") == 256
    assert picture_size("someone/else") is None


def test_a_gated_model_asks_for_licence_and_token(monkeypatch):
    """The hub's refusal becomes what the user has to do."""
    from huggingface_hub.errors import GatedRepoError

    def refuse(*_args, **_kwargs):
        raise GatedRepoError.__new__(GatedRepoError)

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"accept its licence .* HF_TOKEN"):
        load_stage("DeepFloyd/IF-I-M-v1.0", CPU, torch.float32)
