"""Pictures become what transformers would make of them, but for its rounding to 8 bits."""

import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil, ViTImageProcessorPil

from fundiff.pictures import to_image, to_tensor
from fundiff.preprocessing import preprocessing

SQUARE = {"height": 24, "width": 24}
PROCESSORS = {
    "shortest edge and crop": CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size=SQUARE),
    "an odd margin": CLIPImageProcessorPil(size={"shortest_edge": 27}, crop_size=SQUARE),
    "plain numbers": CLIPImageProcessorPil(size=24, crop_size=24),
    "shortest edge alone": CLIPImageProcessorPil(size={"shortest_edge": 24}, do_center_crop=False),
    "height and width": SiglipImageProcessorPil(size=SQUARE),
    "bilinear": SiglipImageProcessorPil(size=SQUARE, resample=Image.Resampling.BILINEAR),
}
ROUNDING = 1.5 / 255
"""Pillow rounds to 8 bits twice, half a level each; the second pass grows the first's by 1.25."""


def noise(size: int, seed: int = 0) -> torch.Tensor:
    """Black, white and grey at random, of 8 bits: the hardest there is to resize."""
    levels = torch.randint(-64, 320, (3, size, size), generator=torch.manual_seed(seed))
    return levels.clamp(0, 255) / 255 * 2 - 1


def by_transformers(processor, picture: torch.Tensor) -> torch.Tensor:
    return processor(images=[to_image(picture)], return_tensors="pt").pixel_values[0]


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [5, 23, 25, 64, 256])
def test_pixel_values_are_those_of_transformers_to_its_rounding(name, size):
    """At most 1.5 levels of 255 apart, on noise, enlarged as well as shrunk."""
    processor = PROCESSORS[name]
    ours = preprocessing(processor)(noise(size))
    assert ours.shape == (3, 24, 24)
    assert ours.dtype == torch.float32
    away = (ours - by_transformers(processor, noise(size))).abs()
    assert float(away.max()) <= ROUNDING / min(processor.image_std)


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_picture_of_the_right_size_is_only_cropped_and_normalised(name):
    """Equal to transformers' values but for the last bit of a float32."""
    prepare = preprocessing(PROCESSORS[name])
    picture = noise(prepare.resized)
    theirs = by_transformers(PROCESSORS[name], picture)
    torch.testing.assert_close(prepare(picture), theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [7, 24, 100])
def test_a_picture_of_one_colour_stays_one(name, size):
    """Resizing neither darkens nor shades it, not even at the border."""
    prepare = preprocessing(PROCESSORS[name])
    colour = torch.tensor([-0.9, 0.1, 0.7])[:, None, None]
    wanted = (colour / 2 + 0.5 - torch.tensor(prepare.mean)[:, None, None]) / torch.tensor(
        prepare.std
    )[:, None, None]
    found = prepare(colour.expand(3, size, size))
    torch.testing.assert_close(found, wanted.expand(3, 24, 24), atol=3e-6, rtol=0)


def test_nothing_is_rounded_to_8_bits():
    """A tenth of a level is seen, whether the picture is resized or not."""
    prepare = preprocessing(PROCESSORS["height and width"])
    for size in (24, 64):
        picture = to_tensor(Image.new("RGB", (size, size), (99, 100, 101)))
        brighter = prepare(picture + 0.1 / 127.5) - prepare(picture)
        torch.testing.assert_close(
            brighter, torch.full((3, 24, 24), 0.1 / 127.5), atol=1e-6, rtol=0
        )


def test_what_no_screen_can_show_is_clipped_before_it_is_resized():
    """A picture that overshoots is judged as the one that would be seen; no value lies outside."""
    prepare = preprocessing(PROCESSORS["height and width"])
    wild = 4 * noise(5)
    assert torch.equal(prepare(wild), prepare(wild.clamp(-1, 1)))
    assert float(prepare(wild).abs().max()) == 1.0


def test_a_half_precision_picture_is_prepared_in_float32():
    """The picture's own values, and nothing lost on the way."""
    prepare = preprocessing(PROCESSORS["height and width"])
    half = noise(64).to(torch.float16)
    assert torch.equal(prepare(half), prepare(half.float()))


@pytest.mark.parametrize("shape", [(3, 20, 24), (1, 24, 24), (1, 3, 24, 24)])
def test_what_is_no_square_picture_is_refused(shape):
    """It would be squeezed, or fail deep in the network."""
    prepare = preprocessing(PROCESSORS["height and width"])
    with pytest.raises(ValueError, match=r"a judge sees \(3, H, H\)"):
        prepare(torch.zeros(shape))


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        (SiglipImageProcessorPil(size={"height": 24, "width": 30}), "'width': 30"),
        (
            SiglipImageProcessorPil(size={"shortest_edge": 24, "longest_edge": 48}),
            "'longest_edge'",
        ),
        (SiglipImageProcessorPil(size={"max_height": 24, "max_width": 24}), "'max_height'"),
        (SiglipImageProcessorPil(resample=Image.Resampling.LANCZOS), "resample = 1"),
        (SiglipImageProcessorPil(do_pad=True), "do_pad = true"),
        (SiglipImageProcessorPil(do_resize=False), "do_resize = false"),
        (SiglipImageProcessorPil(do_rescale=False), "do_rescale = false"),
        (SiglipImageProcessorPil(do_normalize=False), "do_normalize = false"),
        (SiglipImageProcessorPil(rescale_factor=1 / 127.5), "rescale_factor = 0.00784314"),
        (CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size=SQUARE), "crop_size ="),
        (CLIPImageProcessorPil(crop_size={"height": 24, "width": 20}), "crop_size ="),
        (ViTImageProcessorPil(), "need the ViTImageProcessor"),
    ],
)
def test_a_processor_that_does_anything_else_is_refused(processor, said):
    """In one line, with what it asks for and what there is."""
    with pytest.raises(ValueError, match=said) as refusal:
        preprocessing(processor)
    assert "resizes to one square, crops and normalises" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_everything_that_is_odd_is_said_at_once():
    """One reading of the line is enough."""
    odd = SiglipImageProcessorPil(do_pad=True, resample=Image.Resampling.NEAREST)
    with pytest.raises(ValueError, match="do_pad = true and resample = 0"):
        preprocessing(odd)
