"""Training pictures from glyph masks: ink, soft shadows and line drawings, in [-1, 1].

Every function is pure and takes its chance from a generator. A picture shows one concept: what
lies over a shadow or behind a line drawing is abstract. Lengths are in pixels of a 32-pixel
picture and grow with `size`, which is 32 for stage I and 128 for stage II.
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
    """Return [B, C, H, W] masks rotated, scaled, sheared, shifted and bent a little at random.

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
    unit = masks.shape[-1] / 64
    cut = uniform(generator, 0.25, 0.6, len(masks), 1, 1, 1)
    soft = blur(masks, unit)
    soft = soft / soft.amax((2, 3), keepdim=True).clamp(min=0.1)
    return torch.sigmoid((soft - cut) * 14 * unit)


def enlarge(masks: Tensor, size: int) -> Tensor:
    """Return masks in as much detail as a picture of this size needs: twice 32, else the size."""
    side = max(size, 2 * SIZE)
    if masks.shape[-1] == side:
        return masks
    return functional.interpolate(masks, (side, side), mode="bicubic").clamp(0, 1)


def shrink(masks: Tensor, size: int) -> Tensor:
    """Return masks at the size of the picture."""
    return functional.avg_pool2d(masks, masks.shape[-1] // size)


def thicken(masks: Tensor, pixels: int) -> Tensor:
    """Return masks grown by half of an odd number of pixels (of 64) on each side."""
    kernel = (pixels - 1) * masks.shape[-1] // 64 + 1
    return functional.max_pool2d(masks, kernel, 1, kernel // 2)


def smooth_field(count: int, sigma: float, generator: Generator, size: int = SIZE) -> Tensor:
    """Return random smooth fields [B, 1, H, W] of mean 0 and standard deviation 1."""
    field = blur(torch.randn(count, 1, size, size, generator=generator), sigma)
    field = field - field.mean((2, 3), keepdim=True)
    return field / field.std((2, 3), keepdim=True)


def clutter(count: int, generator: Generator, size: int = SIZE) -> Tensor:
    """Return fine abstract patterns [B, 1, H, W] in 0 to 1.

    Curves (zero lines of a random field), hatching, waves, dots or bricks, whole or in patches.
    """
    unit = size / SIZE
    y, x = (
        axis.float() / unit for axis in torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij")
    )
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


def ink(masks: Tensor, generator: Generator, size: int = SIZE) -> Tensor:
    """Return dark ink on light paper from glyph masks [B, 1, 64, 64]."""
    paper = uniform(generator, 0.75, 1, len(masks), 1, 1, 1)
    dark = uniform(generator, -1, -0.65, len(masks), 1, 1, 1)
    mask = shrink(reweight(warp(enlarge(masks, size), generator), generator), size)
    return tint(paper + (dark - paper) * mask, generator)


def blurred(x: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Return a batch blurred, each picture by its own sigma between low and high."""
    mix = uniform(generator, 0, 1, len(x), 1, 1, 1)
    return mix * blur(x, low) + (1 - mix) * blur(x, high)


def shadow(silhouettes: Tensor, generator: Generator, size: int = SIZE) -> Tensor:
    """Return soft dark shadows of silhouettes on grey; fine clutter lies over 60 % of them.

    The clutter has no low band (it is high-passed), so that only the shadow does.
    """
    count, unit = len(silhouettes), size / SIZE
    paper = uniform(generator, 0.3, 0.8, count, 1, 1, 1)
    depth = uniform(generator, 0.7, 1.2, count, 1, 1, 1)
    large = functional.interpolate(silhouettes, scale_factor=1.15, mode="bilinear")
    large = enlarge(thicken(large[..., 4:68, 4:68], 5), size)
    mask = shrink(reweight(warp(large, generator), generator), size)
    grey = paper - depth * blurred(mask, 1.2 * unit, 2.4 * unit, generator)
    fine = clutter(count, generator, size)
    fine = fine - blur(fine, 1.6 * unit)
    strength = uniform(generator, 0.3, 0.9, count, 1, 1, 1)
    strength = strength * (uniform(generator, 0, 1, count, 1, 1, 1) < 0.6)
    return tint(grey - strength * fine, generator)


def outline(glyphs: Tensor, silhouettes: Tensor) -> Tensor:
    """Return thin lines of glyphs [B, 1, H, W]: solid ones' edges, the others' strokes."""
    solid = glyphs.sum((1, 2, 3)) > 0.55 * silhouettes.sum((1, 2, 3))
    edges = thicken(glyphs, 3) + thicken(-glyphs, 3)
    return torch.where(solid[:, None, None, None], edges, glyphs)


def shading(count: int, generator: Generator, size: int = SIZE) -> Tensor:
    """Return random smooth greys [B, 1, H, W] as deep as a shadow, showing nothing."""
    level = uniform(generator, -0.2, 0.8, count, 1, 1, 1)
    depth = uniform(generator, 0, 0.4, count, 1, 1, 1)
    fine = smooth_field(count, 2.5, generator)
    broad = smooth_field(count, 5, generator)
    field = torch.where(uniform(generator, 0, 1, count, 1, 1, 1) < 0.5, fine, broad)
    return level + depth * functional.interpolate(field, (size, size), mode="bicubic")


def line(glyphs: Tensor, silhouettes: Tensor, generator: Generator, size: int = SIZE) -> Tensor:
    """Return thin dark line drawings on smooth shading.

    A light halo around the lines empties their low band.
    """
    both = warp(enlarge(torch.cat([glyphs, silhouettes], 1), size), generator)
    thin = shrink(reweight(outline(both[:, :1], both[:, 1:]), generator), size)
    halo = uniform(generator, 0.3, 1, len(glyphs), 1, 1, 1)
    depth = uniform(generator, 1.1, 1.9, len(glyphs), 1, 1, 1)
    lines = thin - halo * blur(thin, 1.6 * size / SIZE)
    return tint(shading(len(glyphs), generator, size) - depth * lines, generator)
