"""Stage III is diffusers' own upscaler, run by the loop, views and engine of the others."""

import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline

from fundiff.canvas import Canvas
from fundiff.catalogue import ModelError
from fundiff.engine import Engine
from fundiff.guidance import Prompts
from fundiff.noise import Noise
from fundiff.upscale import (
    Upscaler,
    decode,
    encode_text,
    honoured,
    load_upscaler,
    load_upscaler_text,
    upscale,
    upscale_canvas,
)
from fundiff.view_names import FRAMES, view
from tests.fundiff.exact import picture, run
from tests.tiny_upscaler import MAX_NOISE_LEVEL, write_tiny_upscaler

CPU = torch.device("cpu")
PROMPT, NEGATIVE = "An oil painting of an Old Man", "blurry"
SIZE = 16
PERMUTING = [sort.example for name, sort in FRAMES.items() if name != "negate"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_tiny_upscaler(tmp_path_factory.mktemp("tiny-upscaler") / "x4")


@pytest.fixture(scope="module")
def upscaler(folder) -> Upscaler:
    return load_upscaler(str(folder), CPU, torch.float32)


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    """The upscaler's folder, to be changed."""
    return Path(shutil.copytree(folder, tmp_path / "x4"))


class Recorded:
    """Gives draws in a set order."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def draw(self, shape):
        drawn = self.draws.pop(0)
        assert drawn.shape == tuple(shape)
        return drawn


class WishUNet:
    """Answers for a data set of one latent, which the prompt's embedding spells out."""

    dtype, device = torch.float32, CPU

    def __init__(self, alphas_cumprod, predicts):
        self.alphas_cumprod = torch.tensor(alphas_cumprod, dtype=torch.float64)
        self.predicts = predicts

    def __call__(self, samples, t, encoder_hidden_states, class_labels, return_dict):
        x_0 = encoder_hidden_states.view(len(samples), 4, *samples.shape[-2:])
        a = self.alphas_cumprod[t].view(-1, 1, 1, 1)
        noise = (samples[:, :4] - a.sqrt() * x_0) / (1 - a).sqrt()
        output = noise if self.predicts == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * x_0
        return (output.float(),)


class WishScheduler:
    """Says what the UNet predicts."""

    def __init__(self, scheduler, prediction_type):
        self.config = {**scheduler.config, "prediction_type": prediction_type}
        self.config = type(scheduler).from_config(self.config).config


def exact(upscaler: Upscaler, predicts: str = "v_prediction") -> Upscaler:
    """Return an upscaler whose UNet is exact for data sets of one latent."""
    unet = WishUNet(upscaler.schedule.alphas_cumprod, predicts)
    return replace(upscaler, unet=unet, scheduler=WishScheduler(upscaler.scheduler, predicts))


def wish(seed: int) -> torch.Tensor:
    return torch.randn((4, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))


def wishes(*latents: torch.Tensor) -> Prompts:
    embeds = tuple(latent.reshape(1, -1) for latent in latents)
    return Prompts(embeds, torch.zeros_like(embeds[0]), 1)


def place(upscaler: Upscaler, seed: int = 0, steps: int = 5, noise_level: int = 20) -> Canvas:
    return upscale_canvas(picture(9, SIZE), upscaler, Noise(seed, 3), noise_level, steps)


def arrival(canvas: Canvas, seed: int, x_0: torch.Tensor) -> torch.Tensor:
    """Return where deterministic steps arrive if every step's estimate wants x_0.

    The noise that x_T holds beside x_0 stays, and so does the little of it that a final
    alphas_cumprod below 1 leaves in the latent.
    """
    noise = Noise(seed, 3)
    noise.draw((3, SIZE, SIZE))
    x_T = noise.draw((4, SIZE, SIZE))
    a = canvas.schedule.alpha_prod(canvas.timesteps[0])
    eps = (x_T - math.sqrt(a) * x_0) / math.sqrt(1 - a)
    a_final = canvas.schedule.final_alpha_prod
    return math.sqrt(a_final) * x_0 + math.sqrt(1 - a_final) * eps


@pytest.mark.parametrize(
    ("noise_level", "guidance_scale", "steps"), [(20, 9.0, 11), (350, 3.0, 3), (0, 1.0, 50)]
)
def test_the_plain_upscale_equals_diffusers_pipeline(
    folder, upscaler, noise_level, guidance_scale, steps
):
    """Text, noise on the picture, guidance, v-prediction, DDIM steps and decoding: 1e-4."""
    pipeline = StableDiffusionUpscalePipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, watermarker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    small = torch.rand((3, SIZE, SIZE), generator=torch.Generator().manual_seed(1))
    wanted = pipeline(
        PROMPT,
        image=small[None],
        negative_prompt=NEGATIVE,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        noise_level=noise_level,
        generator=torch.Generator().manual_seed(4),
        output_type="pt",
    ).images[0]

    generator = torch.Generator().manual_seed(4)
    draws = (torch.randn((1, c, SIZE, SIZE), generator=generator)[0] for c in (3, 4))
    canvas = upscale_canvas(2 * small - 1, upscaler, Recorded(*draws), noise_level, steps)
    embeds = encode_text([PROMPT, NEGATIVE], *load_upscaler_text(str(folder), CPU, torch.float32))
    prompts = Prompts((embeds[PROMPT],), embeds[NEGATIVE], guidance_scale)
    latent = run(upscale(canvas, [view("identity")], prompts), upscaler)
    ours = decode(latent, upscaler)
    assert ours.shape == (3, 4 * SIZE, 4 * SIZE)
    torch.testing.assert_close((ours + 1) / 2, wanted, atol=1e-4, rtol=0)
    assert float(wanted.std()) > 0.01  # a picture, not a surface


def test_the_schedule_is_the_checkpoints_own(upscaler):
    """Scaled-linear betas, steps that start at 1, no clipping, and a last step short of 1."""
    alphas_cumprod = upscaler.schedule.alphas_cumprod
    betas = torch.linspace(0.0001**0.5, 0.02**0.5, 1000, dtype=torch.float64) ** 2
    torch.testing.assert_close(
        torch.tensor(alphas_cumprod, dtype=torch.float64),
        (1 - betas).cumprod(0),
        atol=1e-6,
        rtol=1e-4,
    )
    assert upscaler.schedule.alpha_prod(-1) == alphas_cumprod[0]
    assert upscaler.schedule.sample_max_value == math.inf
    assert upscaler.schedule.thresholding_ratio is None
    assert upscaler.timesteps(4) == (751, 501, 251, 1)
    assert upscaler.max_noise_level == MAX_NOISE_LEVEL


@pytest.mark.parametrize("predicts", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("steps", [1, 2, 7, 75])
def test_what_the_unet_predicts_becomes_the_noise(upscaler, predicts, steps):
    """An exact UNet leads to its latent whether it says v or epsilon."""
    model, w = exact(upscaler, predicts), wish(1)
    canvas = place(model, steps=steps)
    drawn = run(upscale(canvas, [view("identity")], wishes(w)), model)
    torch.testing.assert_close(drawn, arrival(canvas, 0, w), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["flip", "mirror", "rotate_90", "rotate_180", "flip+rotate_90"])
def test_a_turned_view_of_the_latent_gets_its_own_prompt(upscaler, name):
    """Two wishes, each in its own view: the latent is the mean of both, turned back."""
    model, other, a, b = exact(upscaler), view(name), wish(1), wish(2)
    canvas = place(model)
    drawn = run(upscale(canvas, [view("identity"), other], wishes(a, b)), model)
    wanted = arrival(canvas, 0, (a + other.invert(b)) / 2)
    torch.testing.assert_close(drawn, wanted, atol=1e-3, rtol=0)


def test_a_view_turns_the_latent_and_the_picture_that_it_enlarges_together(upscaler):
    """Both lie in one tensor, so that the UNet sees a turned pair and not a torn one."""
    canvas, flip = place(upscaler), view("flip")
    call = next(upscale(canvas, [view("identity"), flip], wishes(wish(1), wish(2))))
    plain, flipped = (lane.sample for lane in call.lanes)
    assert plain.shape == (7, SIZE, SIZE)
    assert torch.equal(plain[4:], canvas.low_res)
    assert torch.equal(flipped, plain.flip(-2))
    assert call.noise_level == 20


@pytest.mark.parametrize(
    ("names", "taking_part"),
    [
        ("identity", [0]),
        ("identity|flip|rotate_90", [0, 1, 2]),
        ("identity|negate", [0]),
        ("negate|flip+negate|flip", [2]),
        ("negate", [0]),
        ("low_pass:2|high_pass:2", [1]),
        ("high_pass:2|low_pass:2", [0]),
        ("low_pass:2|band:1:2|high_pass:1", [2]),
        ("triple_low|triple_medium|triple_high", [2]),
        ("grayscale|color", [1]),
        ("motion:9|motion_res:9", [1]),
        ("scale:0.5|scale:0.5", [0, 1]),
        ("scale:1.5|scale:-0.5", [0]),
        ("scale:-0.5|scale:1.5", [1]),
        ("low_pass:2|high_pass:2|flip+low_pass:2|flip+high_pass:2", [1, 3]),
        ("low_pass:2|high_pass:2|negate", [1]),
        ("negate+low_pass:2|negate+high_pass:2", [0]),
        ("negate+scale:-0.5|negate+scale:1.5", [1]),
        ("low_pass:2", [0]),
    ],
)
def test_views_that_a_latent_can_honour_take_part(upscaler, names, taking_part):
    """Permutations do; negatives, bands seen from afar and what is steered away from do not."""
    views = [view(name) for name in names.split("|")]
    assert honoured(views) == taking_part
    call = next(upscale(place(upscaler), views, wishes(*map(wish, range(len(views))))))
    asked = [lane.prompt_embeds for lane in call.lanes]
    assert len(asked) == len(taking_part)
    assert all(
        torch.equal(embeds, wish(number).reshape(1, -1))
        for embeds, number in zip(asked, taking_part, strict=True)
    )


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("negate", lambda a: a),
        ("negate+low_pass:2|negate+high_pass:2", lambda a, _: a),
        ("low_pass:2|high_pass:2", lambda _, b: b),
        ("flip+grayscale|flip+color", lambda _, b: b.flip(-2)),
        ("scale:0.5|scale:0.5", lambda a, b: (a + b) / 2),
        ("scale:1.5|scale:-0.5", lambda a, _: a),
        ("scale:0.5|scale:0.5|flip", lambda a, b, c: ((a + b) / 2 + c.flip(-2)) / 2),
        ("identity|negate|flip", lambda a, _, c: (a + c.flip(-2)) / 2),
    ],
)
def test_who_takes_part_decides_on_the_whole_of_a_frame(upscaler, names, wanted):
    """A component that takes part is no component there; several share the frame alike."""
    model, views = exact(upscaler), [view(name) for name in names.split("|")]
    latents = [wish(number) for number in range(len(views))]
    canvas = place(model)
    drawn = run(upscale(canvas, views, wishes(*latents)), model)
    torch.testing.assert_close(drawn, arrival(canvas, 0, wanted(*latents)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", PERMUTING)
def test_a_view_acts_on_a_latent_as_on_the_picture_four_times_as_wide(name):
    """A block of 4 x 4 pixels of 1024 goes where its place in the latent of 256 goes."""
    permuting = view(name)
    latent = torch.arange(256.0**2).view(1, 256, 256)
    decoded = latent.repeat_interleave(4, -2).repeat_interleave(4, -1)
    shown = permuting.show(latent)
    assert torch.equal(
        permuting.show(decoded), shown.repeat_interleave(4, -2).repeat_interleave(4, -1)
    )
    assert torch.equal(permuting.invert(shown), latent)


def test_a_latent_is_bit_identical_alone_and_in_any_company(upscaler):
    """Neighbours, slots, other views, steps and noise levels beside it change no bit."""
    embeds = [torch.randn((77, 32), generator=torch.Generator().manual_seed(n)) for n in range(4)]
    two, one = Prompts((embeds[0], embeds[1]), embeds[3], 9), Prompts((embeds[2],), embeds[3], 1)
    makers = {
        "anagram": lambda: upscale(place(upscaler, 0, 4), [view("identity"), view("flip")], two),
        "hybrid": lambda: upscale(
            place(upscaler, 1, 6, 100), [view("low_pass:2"), view("high_pass:2")], two
        ),
        "plain": lambda: upscale(place(upscaler, 2, 3, 0), [view("identity")], one),
    }

    def drawn(order):
        engine, pictures = Engine(upscaler, 5), {}
        for key in order:
            engine.add(key, makers[key]())
        while not engine.idle:
            pictures |= {finished.key: finished for finished in engine.step()}
        return pictures

    alone = {key: drawn([key])[key] for key in makers}
    assert {key: each.lanes for key, each in alone.items()} == {
        "anagram": 4 * 4,
        "hybrid": 6 * 2,
        "plain": 3 * 1,
    }
    shuffled, order = random.Random(0), list(makers)
    for _ in range(3):
        shuffled.shuffle(order)
        for key, finished in drawn(order).items():
            assert torch.equal(finished.picture, alone[key].picture), (key, order)


def test_only_what_is_needed_is_loaded(copied):
    """Drawing needs no text encoder and encoding no UNet; the other parts would raise."""
    for part in ("safety_checker", "watermarker"):
        assert (copied / part / "model.safetensors").read_bytes() == b"not weights"
    shutil.move(copied / "text_encoder", copied / "aside")
    upscaler = load_upscaler(str(copied), CPU, torch.float32)
    assert not any(parameter.requires_grad for parameter in upscaler.unet.parameters())
    shutil.move(copied / "aside", copied / "text_encoder")
    for part in ("unet", "vae", "scheduler", "low_res_scheduler"):
        shutil.rmtree(copied / part)
    load_upscaler_text(str(copied), CPU, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_half_dtype_reads_the_fp16_files_and_float32_the_full_ones(copied, dtype):
    """The unwanted set is removed; the autoencoder asks for float32 instead of float16."""
    for file in copied.glob("*/*.safetensors"):
        if (".fp16" in file.name) == (dtype == torch.float32):
            file.unlink()
    upscaler = load_upscaler(str(copied), CPU, dtype)
    assert upscaler.unet.dtype == dtype
    assert upscaler.vae.dtype == (torch.float32 if dtype == torch.float16 else dtype)
    assert decode(wish(1), upscaler).dtype == torch.float32
    assert load_upscaler_text(str(copied), CPU, dtype)[1].dtype == dtype


def test_an_autoencoder_that_does_not_overflow_decodes_in_float16(copied):
    """`force_upcast` is the checkpoint's word, not ours."""
    _rewrite(copied / "vae" / "config.json", force_upcast=False)
    assert load_upscaler(str(copied), CPU, torch.float16).vae.dtype == torch.float16


def test_pickled_weights_are_never_read(copied):
    """A .bin file is no weights to us, even if it is all there is."""
    for file in (copied / "vae").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match="holds no safetensors weights"):
        load_upscaler(str(copied), CPU, torch.float32)


def test_prompts_are_encoded_once_each_by_themselves_and_cut_to_77_tokens(folder):
    """A prompt's embedding does not depend on the other prompts, to the bit."""
    text = load_upscaler_text(str(folder), CPU, torch.float32)
    alone = encode_text([PROMPT], *text)[PROMPT]
    together = encode_text(["", "x" * 500, PROMPT, ""], *text)
    assert list(together) == ["", "x" * 500, PROMPT]
    assert all(embeds.shape == (77, 32) for embeds in together.values())
    assert torch.equal(together[PROMPT], alone)
    assert not torch.equal(together[""], alone)


@pytest.mark.parametrize("noise_level", [-1, MAX_NOISE_LEVEL + 1])
def test_noise_that_the_upscaler_was_not_trained_with_is_refused(upscaler, noise_level):
    """The bound is the checkpoint's."""
    with pytest.raises(ValueError, match=rf"noise_level is {noise_level}; .* takes 0 to 350"):
        place(upscaler, noise_level=noise_level)


@pytest.mark.parametrize("steps", [0, 1000, 1001])
def test_steps_that_the_schedule_has_no_room_for_are_refused(upscaler, steps):
    """Timesteps are shifted by one, so that a thousand of them would leave the schedule."""
    with pytest.raises(ValueError, match=r"num_inference_steps|timesteps"):
        place(upscaler, steps=steps)


def test_views_without_their_prompts_are_refused(upscaler):
    """Also where the surplus view would not take part."""
    with pytest.raises(ValueError, match="2 views for 1 prompts"):
        upscale(place(upscaler), [view("identity"), view("negate")], wishes(wish(1)))


@pytest.mark.parametrize("part", ["unet", "vae", "scheduler", "low_res_scheduler"])
def test_a_folder_that_is_no_upscaler_is_refused(copied, part):
    """It says what is missing."""
    shutil.rmtree(copied / part)
    with pytest.raises(ModelError, match=f"has no {part}/"):
        load_upscaler(str(copied), CPU, torch.float32)


def test_a_stage_of_the_cascade_is_no_upscaler(tiny_if):
    """IF's second stage enlarges too, but draws pixels."""
    with pytest.raises(ModelError, match="has no vae/; an upscaler has the layout of"):
        load_upscaler(str(tiny_if / "stage-2"), CPU, torch.float32)


def test_an_unknown_bound_of_the_noise_is_not_guessed(copied):
    """Without model_index.json nothing says it."""
    (copied / "model_index.json").unlink()
    with pytest.raises(ModelError, match=r"has no model_index\.json"):
        load_upscaler(str(copied), CPU, torch.float32)


def test_a_unet_that_predicts_the_sample_is_refused(copied):
    """Upscalers predict v or epsilon."""
    _rewrite(copied / "scheduler" / "scheduler_config.json", prediction_type="sample")
    with pytest.raises(ModelError, match="predicts sample; fundiff upscales with v_prediction"):
        load_upscaler(str(copied), CPU, torch.float32)


def test_a_unet_that_does_not_see_the_picture_is_refused(copied, upscaler):
    """A plain latent model has 4 channels, one for inpainting 9."""
    shutil.rmtree(copied / "unet")
    config = {**upscaler.unet.config, "in_channels": 4}
    type(upscaler.unet).from_config(config).save_pretrained(copied / "unet")
    with pytest.raises(ModelError, match="a UNet of 4 channels; that of an upscaler has 4 for"):
        load_upscaler(str(copied), CPU, torch.float32)


def test_a_hub_that_is_out_of_reach_is_told_from_a_missing_model(monkeypatch, tmp_path):
    """Offline with an empty cache: the words say what to do."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="hub cannot be reached"):
        load_upscaler("stabilityai/stable-diffusion-x4-upscaler", CPU, torch.float32)


def test_from_the_hub_comes_what_is_needed_and_the_index(monkeypatch, folder):
    """The parts, and the file that says how much noise the model takes."""
    asked = []

    def snapshot_download(model, revision, allow_patterns, ignore_patterns):
        asked.append((model, revision, tuple(allow_patterns)))
        return folder

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    load_upscaler("owner/x4", CPU, torch.float32, "main")
    parts = ("unet/*", "vae/*", "scheduler/*", "low_res_scheduler/*")
    assert asked == [("owner/x4", "main", ("model_index.json", *parts))]


def _rewrite(file: Path, **changes) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
