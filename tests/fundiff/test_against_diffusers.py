"""Our steps and our loops equal diffusers' own, on the same noise."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    IFImg2ImgPipeline,
    IFImg2ImgSuperResolutionPipeline,
    IFInpaintingPipeline,
    IFPipeline,
    IFSuperResolutionPipeline,
)

from fundiff.anagram import anagram
from fundiff.canvas import Canvas, Estimate
from fundiff.cascade import stage_2_canvas
from fundiff.edit import edit
from fundiff.guidance import Prompts
from fundiff.models import load_stage, load_text_encoder
from fundiff.noise import Noise
from fundiff.prompts import encode
from fundiff.samplers import SAMPLERS, posterior_step, threshold
from fundiff.schedule import Schedule, explicit, leading, named, squared_cosine, start_of
from fundiff.view_names import view
from tests.fundiff.exact import drawn, run

CPU = torch.device("cpu")
PROMPT, NEGATIVE = "An oil painting of an old man", "blurry"
PLAIN = [view("identity")]
OLD_NUMPY_WAYS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
UNNEEDED = {
    "safety_checker": None,
    "feature_extractor": None,
    "watermarker": None,
    "requires_safety_checker": False,
}


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


THRESHOLDING = {
    "beta_schedule": "squaredcos_cap_v2",
    "thresholding": True,
    "dynamic_thresholding_ratio": 0.95,
}


def compare_run(scheduler, sampler: str, max_value: float, **options) -> None:
    """Step along the scheduler's own timesteps on random outputs and compare every step."""
    schedule = Schedule(tuple(scheduler.alphas_cumprod.double().tolist()), 0.95, max_value)
    timesteps = explicit(scheduler.timesteps.tolist())
    canvas = Canvas((3, 16, 16), timesteps, schedule, Noise(0, 1), sampler=sampler)
    step = SAMPLERS[sampler](canvas)
    x_t = torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(0))
    for i, (t, t_prev) in enumerate(zip(timesteps, (*timesteps[1:], -1), strict=True)):
        output = torch.randn((6, 16, 16), generator=torch.Generator().manual_seed(i)).tanh()
        wanted = scheduler.step(output[None, :3], t, x_t[None], **options).prev_sample[0]
        x_t = step(x_t, Estimate(*output.chunk(2)), t, t_prev)
        torch.testing.assert_close(x_t, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("max_value", [1.0, 1.5])
@pytest.mark.parametrize("steps", [1, 2, 30, 50])
def test_a_deterministic_step_equals_ddim_scheduler(steps, max_value):
    """Every step of the run without noise, the noise taken anew from the clipped picture."""
    scheduler = DDIMScheduler(**THRESHOLDING, sample_max_value=max_value)
    scheduler.set_timesteps(steps)
    compare_run(scheduler, "ddim", max_value, eta=0.0, use_clipped_model_output=True)


@OLD_NUMPY_WAYS
@pytest.mark.parametrize("max_value", [1.0, 1.5])
@pytest.mark.parametrize("spacing", ["leading", "linspace"])
@pytest.mark.parametrize("steps", [2, 5, 20, 50])
def test_a_second_order_step_equals_dpm_solver_multistep_scheduler(steps, spacing, max_value):
    """Every step of the run; its timesteps end above 0, in one step of first order."""
    scheduler = DPMSolverMultistepScheduler(
        **THRESHOLDING,
        sample_max_value=max_value,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
        timestep_spacing=spacing,
    )
    scheduler.set_timesteps(steps)
    compare_run(scheduler, "dpmsolver++", max_value)


@OLD_NUMPY_WAYS
@pytest.mark.parametrize("timesteps", [(990,), (900, 500), (999, 900, 700, 500, 300, 200, 150)])
def test_a_second_order_step_equals_that_of_diffusers_on_given_timesteps(timesteps):
    """Uneven ones, whose log-SNR steps differ."""
    scheduler = DPMSolverMultistepScheduler(
        **THRESHOLDING, sample_max_value=1.0, final_sigmas_type="zero"
    )
    scheduler.set_timesteps(timesteps=list(timesteps))
    compare_run(scheduler, "dpmsolver++", 1.0)


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
    pipeline = IFPipeline.from_pretrained(folder, **UNNEEDED)
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
    ours = drawn(canvas, anagram(canvas, PLAIN, prompts), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


def test_the_second_stage_equals_if_super_resolution_pipeline(tiny_if):
    """Upscaling, noise conditioning and 9 steps of stage II, within 1e-4."""
    embeds = encode([PROMPT, ""], *load_text_encoder(str(tiny_if / "stage-1"), CPU, torch.float32))
    folder = tiny_if / "stage-2"
    pipeline = IFSuperResolutionPipeline.from_pretrained(
        folder, text_encoder=None, tokenizer=None, **UNNEEDED
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
    ours = drawn(canvas, anagram(canvas, PLAIN, prompts), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


def test_an_edit_starts_where_diffusers_starts_it(tiny_if):
    """For every strength and number of steps; where diffusers would walk no step, we walk one."""
    pipeline = IFImg2ImgPipeline.from_pretrained(tiny_if / "stage-1", **UNNEEDED)
    for count in (1, 2, 3, 7, 10, 27, 30, 50, 100, 333):
        pipeline.scheduler.set_timesteps(count)
        for percent in range(101):
            strength = percent / 100
            wanted = len(pipeline.get_timesteps(count, strength)[0])
            assert count - start_of(strength, count) == max(wanted, 1), (count, strength)


@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
def test_an_edit_equals_if_img2img_pipeline(tiny_if, strength):
    """The start, guidance and the rest of 10 steps of stage I, within 1e-4."""
    folder = tiny_if / "stage-1"
    pipeline = IFImg2ImgPipeline.from_pretrained(folder, **UNNEEDED)
    pipeline.set_progress_bar_config(disable=True)
    original = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    wanted = pipeline(
        PROMPT,
        image=original[None],
        strength=strength,
        negative_prompt=NEGATIVE,
        num_inference_steps=10,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
        clean_caption=False,
    ).images[0]

    stage = load_stage(str(folder), CPU, torch.float32)
    embeds = encode([PROMPT, NEGATIVE], *load_text_encoder(str(folder), CPU, torch.float32))
    canvas = Canvas((3, 8, 8), leading(10), stage.schedule, Recorded(draws(3, 10, 8)))
    prompts = Prompts((embeds[PROMPT],), embeds[NEGATIVE], 5.0)
    estimate = anagram(canvas, PLAIN, prompts)
    ours = run(edit(canvas, estimate, original, start_of(strength, 10)), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("strength", [0.4, 0.8])
def test_an_edit_in_the_second_stage_equals_if_img2img_super_resolution_pipeline(
    tiny_if, strength
):
    """It starts from the original in full size, conditioned on the small picture."""
    embeds = encode([PROMPT, ""], *load_text_encoder(str(tiny_if / "stage-1"), CPU, torch.float32))
    folder = tiny_if / "stage-2"
    pipeline = IFImg2ImgSuperResolutionPipeline.from_pretrained(
        folder, text_encoder=None, tokenizer=None, **UNNEEDED
    )
    pipeline.set_progress_bar_config(disable=True)
    small = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    original = torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(2)) * 2 - 1
    wanted = pipeline(
        image=small[None],
        original_image=original[None],
        strength=strength,
        prompt_embeds=embeds[PROMPT][None],
        negative_prompt_embeds=embeds[""][None],
        num_inference_steps=9,
        guidance_scale=4.0,
        noise_level=50,
        generator=torch.Generator().manual_seed(4),
        output_type="pt",
    ).images[0]

    stage = load_stage(str(folder), CPU, torch.float32)
    first, second, *rest = draws(4, 10, 32)  # the pipeline noises the original, then the low-res
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
    estimate = anagram(canvas, PLAIN, prompts)
    ours = run(edit(canvas, estimate, original, start_of(strength, 9)), stage)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


@OLD_NUMPY_WAYS
def test_diffusers_keeps_the_known_region_without_noise_where_we_noise_it(tiny_if):
    """Why our inpainting is not equal to `IFInpaintingPipeline`: its kept pixels never change."""
    pipeline = IFInpaintingPipeline.from_pretrained(tiny_if / "stage-1", **UNNEEDED)
    pipeline.set_progress_bar_config(disable=True)
    original = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    repaint = torch.zeros((1, 1, 8, 8))
    repaint[..., :4] = 1
    seen = []

    def watch(_module, arguments):
        seen.append(arguments[0][0, :3].clone())

    pipeline.unet.register_forward_pre_hook(watch)
    pipeline(
        PROMPT,
        image=original,
        mask_image=repaint,
        strength=1.0,
        num_inference_steps=5,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
        clean_caption=False,
    )
    assert len(seen) == 5
    for sample in seen:
        assert torch.equal(sample[..., 4:], original[0, ..., 4:])
        assert not torch.equal(sample[..., :4], original[0, ..., :4])
