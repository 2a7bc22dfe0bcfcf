"""Training pictures from glyph masks: ink, soft shadows and line drawings, 3x32x32 in [-1, 1].

Every function is pure and takes its chance from a generator. A picture shows one concept: what lies
over a shadow or behind a line drawing is abstract.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

SIZE = 32


def uniform(generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Return uniform numbers between low and high."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Return a [B, C, H, W] batch after a Gaussian blur of sigma pixels, edges mirrored."""
    radius = max(1, math.ceil(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    x = functional.pad(x, (radius,) * 4, mode="reflect")
    x = functional.conv2d(x, kernel, groups=x.shape[1])
    return functional.conv2d(x, kernel.mT, groups=x.shape[1])


def warp(masks: Tensor, generator: Generator, strength: float = 1.0) -> Tensor:
    """Return [B, C, 64, 64] masks rotated, scaled, sheared, shifted and bent a little, each its own way.

    Rotation to 7 degrees, scale 10 %, aspect 14 %, shear .12, shift 6 %, a smooth 4x4 bend.
    """
    count = len(masks)

    def around(width: float, *shape: int) -> Tensor:
        return strength * uniform(generator, -width, width, count, *shape)

    angle, shear = around(math.radians(7)), around(0.12)
    scale, aspect = torch.exp(around(0.1)), torch.exp(around(0.07))
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([cos / (scale * aspect), (shear - sin) / scale, around(0.06)], 1),
        torch.stack([sin / scale, cos * aspect / scale, around(0.06)], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(masks.shape), align_corners=False)
    bend = functional.interpolate(
        around(0.05, 2, 4, 4), masks.shape[-2:], mode="bicubic", align_corners=True
    )
    return functional.grid_sample(masks, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def reweight(masks: Tensor, generator: Generator) -> Tensor:
    """Return masks with thicker or thinner strokes: blurred, then cut at a random height."""
    cut = uniform(generator, 0.25, 0.6, len(masks), 1, 1, 1)
    soft = blur(masks, 1.0)
    soft = soft / soft.amax((2, 3), keepdim=True).clamp(min=0.1)
    return torch.sigmoid((soft - cut) * 14)


def shrink(masks: Tensor) -> Tensor:
    """Return 64-pixel masks at 32 pixels."""
    return functional.avg_pool2d(masks, masks.shape[-1] // SIZE)


def smooth_field(count: int, sigma: float, generator: Generator, size: int = SIZE) -> Tensor:
    """Return random smooth fields [B, 1, H, W] of mean 0 and standard deviation 1."""
    field = blur(torch.randn(count, 1, size, size, generator=generator), sigma)
    field = field - field.mean((2, 3), keepdim=True)
    return field / field.std((2, 3), keepdim=True)


def clutter(count: int, generator: Generator, size: int = SIZE) -> Tensor:
    """Return abstract fine patterns [B, 1, H, W] in 0 to 1: curves, hatching, waves, dots, bricks."""
    unit = size / SIZE
    y, x = (axis.float() / unit for axis in torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij"))
    angle = uniform(generator, 0, math.pi, count, 1, 1, 1)
    shift = uniform(generator, 0, 32, count, 2, 1, 1, 1)
    period = uniform(generator, 3, 6, count, 1, 1, 1)
    u = torch.cos(angle) * x + torch.sin(angle) * y + shift[:, 0]
    v = torch.cos(angle) * y - torch.sin(angle) * x + shift[:, 1]
    bend = smooth_field(count, 4 * unit, generator, size)

    def rule(z: Tensor, every: Tensor) -> Tensor:
        away = (z / every - torch.round(z / every)) * every
        return torch.exp(-((away / 0.55) ** 2))

    field = smooth_field(count, 1.7 * unit, generator, size)
    slope = torch.stack(torch.gradient(field, dim=(2, 3))).norm(dim=0) * unit + 0.05
    curves = torch.exp(-((field / slope / 0.6) ** 2))
    hatching = rule(u, period)
    waves = rule(u + 1.5 * bend, period)
    dots = torch.exp(-((torch.sin(math.pi * u / 4) ** 2 + torch.sin(math.pi * v / 4) ** 2) * 3))
    row = torch.floor(v / 4)
    bricks = torch.maximum(rule(v, period * 0 + 4), rule(u + 3 * (row % 2), period * 0 + 6))
    patterns = torch.cat([curves, hatching, waves, dots, bricks], 1)
    kind = torch.randint(0, 7, (count,), generator=generator).clamp(min=2) - 2
    chosen = patterns[torch.arange(count), kind][:, None]
    part = torch.sigmoid(4 * (smooth_field(count, 5 * unit, generator, size) + 0.3))
    whole = uniform(generator, 0, 1, count, 1, 1, 1) < 0.5
    return torch.where(whole, chosen, chosen * part)


def tint(grey: Tensor, generator: Generator) -> Tensor:
    """Return grey [B, 1, H, W] in three channels, slightly tinted, clipped to [-1, 1]."""
    return (grey + uniform(generator, -0.04, 0.04, len(grey), 3, 1, 1)).clamp(-1, 1)


def ink(masks: Tensor, generator: Generator) -> Tensor:
    """Return dark ink on light paper from glyph masks [B, 1, 64, 64]."""
    paper = uniform(generator, 0.75, 1, len(masks), 1, 1, 1)
    dark = uniform(generator, -1, -0.65, len(masks), 1, 1, 1)
    mask = shrink(reweight(warp(masks, generator), generator))
    return tint(paper + (dark - paper) * mask, generator)


def blurred(x: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Return a batch blurred, each picture by its own sigma between low and high."""
    mix = uniform(generator, 0, 1, len(x), 1, 1, 1)
    return mix * blur(x, low) + (1 - mix) * blur(x, high)


def shadow(silhouettes: Tensor, generator: Generator) -> Tensor:
    """Return soft dark shadows of silhouettes on grey; fine clutter lies over 60 % of them.

    The clutter has no low band (it is high-passed), so that only the shadow does.
    """
    count = len(silhouettes)
    paper = uniform(generator, 0.3, 0.8, count, 1, 1, 1)
    depth = uniform(generator, 0.7, 1.2, count, 1, 1, 1)
    large = functional.interpolate(silhouettes, scale_factor=1.15, mode="bilinear")
    large = functional.max_pool2d(large[..., 4:68, 4:68], 5, 1, 2)
    mask = shrink(reweight(warp(large, generator), generator))
    grey = paper - depth * blurred(mask, 1.2, 2.4, generator)
    fine = clutter(count, generator)
    fine = fine - blur(fine, 1.6)
    strength = uniform(generator, 0.3, 0.9, count, 1, 1, 1)
    strength = strength * (uniform(generator, 0, 1, count, 1, 1, 1) < 0.6)
    return tint(grey - strength * fine, generator)


def outline(glyphs: Tensor, silhouettes: Tensor) -> Tensor:
    """Return thin lines of glyphs [B, 1, 64, 64]: the edges of solid ones, the strokes of the others."""
    solid = glyphs.sum((1, 2, 3)) > 0.55 * silhouettes.sum((1, 2, 3))
    high = functional.max_pool2d(glyphs, 3, 1, 1)
    low = -functional.max_pool2d(-glyphs, 3, 1, 1)
    return torch.where(solid[:, None, None, None], high - low, glyphs)


def shading(count: int, generator: Generator) -> Tensor:
    """Return random smooth greys [B, 1, 32, 32] as deep as a shadow, showing nothing."""
    level = uniform(generator, -0.2, 0.8, count, 1, 1, 1)
    depth = uniform(generator, 0, 0.4, count, 1, 1, 1)
    fine, broad = (smooth_field(count, sigma, generator) for sigma in (2.5, 5.0))
    pick = uniform(generator, 0, 1, count, 1, 1, 1) < 0.5
    return level + depth * torch.where(pick, fine, broad)


def line(glyphs: Tensor, silhouettes: Tensor, generator: Generator) -> Tensor:
    """Return thin dark line drawings, with a light halo that empties the low band, on smooth shading."""
    both = warp(torch.cat([glyphs, silhouettes], 1), generator)
    thin = shrink(reweight(outline(both[:, :1], both[:, 1:]), generator))
    halo = uniform(generator, 0.3, 1, len(glyphs), 1, 1, 1)
    depth = uniform(generator, 1.1, 1.9, len(glyphs), 1, 1, 1)
    return tint(
        shading(len(glyphs), generator) - depth * (thin - halo * blur(thin, 1.6)), generator
    )
