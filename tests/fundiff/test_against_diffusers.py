"""Our step and our loops equal diffusers' own, on the same noise."""

import pytest
import torch
from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline

from fundiff.anagram import anagram
from fundiff.cascade import stage_2_canvas
from fundiff.guidance import Prompts
from fundiff.models import load_stage, load_text_encoder
from fundiff.prompts import encode
from fundiff.sampling import Canvas, Estimate, posterior_step, threshold
from fundiff.schedule import Schedule, explicit, leading, named, squared_cosine
from fundiff.views import view
from tests.fundiff.exact import run

CPU = torch.device("cpu")
PROMPT, NEGATIVE = "An oil painting of an old man", "blurry"


class Recorded:
    """Gives draws in a set order."""

    def __init__(self, draws):
        self.draws = list(draws)

    def draw(self, shape):
        drawn = self.draws.pop(0)
        assert drawn.shape == tuple(shape)
        return drawn


def draws(seed: int, count: int, size: int) -> list[torch.Tensor]:
    """What a diffusers pipeline draws from a generator with this seed."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((1, 3, size, size), generator=generator)[0] for _ in range(count)]


def test_the_cosine_schedule_is_the_one_of_diffusers():
    """Both cap beta at 0.999."""
    wanted = DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    torch.testing.assert_close(torch.tensor(squared_cosine()), wanted, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 27, 30, 50, 100, 999, 1000])
def test_leading_timesteps_are_those_of_diffusers(steps):
    """Integer strides down to 0."""
    scheduler = DDPMScheduler()
    scheduler.set_timesteps(steps)
    assert list(leading(steps)) == scheduler.timesteps.tolist()


def test_named_timesteps_are_those_of_deepfloyd():
    """They fall, start in noise and end at the picture."""
    for name, count in (("fast27", 27), ("smart50", 50), ("smart185", 185), ("super100", 100)):
        timesteps = named(name)
        assert len(timesteps) == count
        assert explicit(timesteps) == timesteps
        assert timesteps[-1] == 0
    with pytest.raises(ValueError, match="choose from fast27"):
        named("fast28")


@pytest.mark.parametrize("timesteps", [[], [1000, 0], [5, -1], [10, 10, 0], [0, 10]], ids=str)
def test_impossible_timesteps_are_refused(timesteps):
    """Empty, out of range or not falling."""
    with pytest.raises(ValueError, match="timesteps"):
        explicit(timesteps)


@pytest.mark.parametrize("max_value", [1.0, 1.5])
@pytest.mark.parametrize("steps", [1, 2, 30, 50])
def test_a_step_equals_ddpm_scheduler(steps, max_value):
    """Every step of the run, with learned variance and dynamic thresholding."""
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=max_value,
    )
    scheduler.set_timesteps(steps)
    schedule = Schedule(tuple(scheduler.alphas_cumprod.double().tolist()), 0.95, max_value)
    timesteps = leading(steps)
    x_t = torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(0))
    for i, (t, t_prev) in enumerate(zip(timesteps, (*timesteps[1:], -1), strict=True)):
        output = torch.randn((6, 16, 16), generator=torch.Generator().manual_seed(i)).tanh()
        z = torch.randn((1, 3, 16, 16), generator=torch.Generator().manual_seed(7))[0]
        wanted = scheduler.step(
            output[None], t, x_t[None], generator=torch.Generator().manual_seed(7)
        )
        estimate = Estimate(*output.chunk(2))
        ours, x_0 = posterior_step(x_t, estimate, t, t_prev, schedule, z if t_prev >= 0 else None)
        torch.testing.assert_close(ours, wanted.prev_sample[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(x_0, wanted.pred_original_sample[0], atol=1e-4, rtol=1e-4)
        x_t = ours


def test_thresholding_by_two_order_statistics_equals_the_quantile():
    """Also where the percentile falls between two pixels, or on one."""
    for seed, size in enumerate((3, 16, 64)):
        x = 3 * torch.randn((3, size, size), generator=torch.Generator().manual_seed(seed))
        for ratio in (0.5, 0.95, 0.995, 1.0):
            s = torch.quantile(x.abs().flatten(), ratio).clamp(1, 10)
            torch.testing.assert_close(threshold(x, ratio, 10), x.clamp(-s, s) / s)


def test_the_plain_loop_equals_if_pipeline(tiny_if):
    """Text encoding, guidance and 12 steps of stage I, within 1e-4."""
    folder = tiny_if / "stage-1"
    pipeline = IFPipeline.from_pretrained(
        folder,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    wanted = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=12,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
        clean_caption=False,
    ).images[0]

    stage = load_stage(str(folder), CPU, torch.float32)
    embeds = encode([PROMPT, NEGATIVE], *load_text_encoder(str(folder), CPU, torch.float32))
    canvas = Canvas((3, 8, 8), leading(12), stage.schedule, Recorded(draws(3, 12, 8)))
    prompts = Prompts((embeds[PROMPT],), embeds[NEGATIVE], 5.0)
    ours = run(anagram(canvas, [view("identity")], prompts), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


def test_the_second_stage_equals_if_super_resolution_pipeline(tiny_if):
    """Upscaling, noise conditioning and 9 steps of stage II, within 1e-4."""
    embeds = encode([PROMPT, ""], *load_text_encoder(str(tiny_if / "stage-1"), CPU, torch.float32))
    folder = tiny_if / "stage-2"
    pipeline = IFSuperResolutionPipeline.from_pretrained(
        folder,
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    small = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    wanted = pipeline(
        image=small[None],
        prompt_embeds=embeds[PROMPT][None],
        negative_prompt_embeds=embeds[""][None],
        num_inference_steps=9,
        guidance_scale=4.0,
        noise_level=50,
        generator=torch.Generator().manual_seed(4),
        output_type="pt",
    ).images[0]

    stage = load_stage(str(folder), CPU, torch.float32)
    first, second, *rest = draws(4, 10, 32)  # the pipeline draws x_T before the low-res noise
    canvas = stage_2_canvas(
        small,
        32,
        leading(9),
        stage.schedule,
        stage.image_noising_schedule,
        Recorded([second, first, *rest]),
        50,
    )
    prompts = Prompts((embeds[PROMPT],), embeds[""], 4.0)
    ours = run(anagram(canvas, [view("identity")], prompts), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)
