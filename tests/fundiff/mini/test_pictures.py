"""The training pictures: made of masks and a generator, and of nothing else."""

import pytest
import torch

from fundiff.mini import pictures


def discs() -> torch.Tensor:
    y, x = torch.meshgrid(*[torch.arange(64.0)] * 2, indexing="ij")
    radius = torch.tensor([14.0, 18.0, 22.0]).view(-1, 1, 1, 1)
    return ((x - 32) ** 2 + (y - 32) ** 2 < radius**2).float()


STYLES = {
    "ink": lambda g, size: pictures.ink(discs(), g, size),
    "shadow": lambda g, size: pictures.shadow(discs(), g, size),
    "line": lambda g, size: pictures.line(discs(), discs(), g, size),
}


@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("style", STYLES)
def test_a_picture_is_finite_in_range_and_of_its_size(style: str, size: int) -> None:
    """Three channels in [-1, 1]."""
    batch = STYLES[style](torch.Generator().manual_seed(0), size)
    assert batch.shape == (3, 3, size, size)
    assert batch.isfinite().all()
    assert batch.abs().max() <= 1


@pytest.mark.parametrize("style", STYLES)
def test_the_generator_decides_everything(style: str) -> None:
    """The same generator gives the same pictures, another one others; the global one is unused."""
    state = torch.random.get_rng_state()
    first, again, other = (
        STYLES[style](torch.Generator().manual_seed(seed), 32) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_masks_are_left_as_they_were() -> None:
    """No function writes into the masks it is given."""
    masks = discs()
    kept = masks.clone()
    pictures.ink(masks, torch.Generator().manual_seed(0))
    pictures.shadow(masks, torch.Generator().manual_seed(0))
    pictures.line(masks, masks, torch.Generator().manual_seed(0))
    assert torch.equal(masks, kept)


def test_a_shadow_lives_in_the_low_band_and_a_line_drawing_in_the_high_one() -> None:
    """What the blur leaves of a subject: most of a shadow, little of a line drawing."""
    generator = torch.Generator().manual_seed(0)
    masks = discs()[2:].expand(64, 1, 64, 64)
    inside = pictures.shrink(masks, 32)[:, 0] > 0.5

    def contrast(batch: torch.Tensor) -> torch.Tensor:
        grey = pictures.blur(batch, 2.0).mean(1)
        return (grey * ~inside).sum() / (~inside).sum() - (grey * inside).sum() / inside.sum()

    shadow = contrast(pictures.shadow(masks, generator))
    line = contrast(pictures.line(masks, masks, generator))
    assert shadow > 0.5
    assert line.abs() < 0.15
