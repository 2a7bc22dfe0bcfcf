"""The glyph masks of every concept: drawn once, kept in one file, augmented on the fly later."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFont
from torch import Tensor

from fundiff.mini.concepts import CONCEPTS
from fundiff.mini.fonts import faces

SIZE = 64
GLYPH_SIZE = 46
FONT_SIZE = 160


@dataclass(frozen=True, slots=True)
class Masks:
    """Glyphs (1 = ink) and their silhouettes, uint8 [N, 64, 64]; which concept and whose font."""

    glyph: Tensor
    silhouette: Tensor
    concept: Tensor
    held_out: Tensor

    def of(self, *, held_out: bool) -> "Masks":
        """Return the masks of the held-out fonts, or of the others."""
        keep = self.held_out == held_out
        return Masks(
            self.glyph[keep], self.silhouette[keep], self.concept[keep], self.held_out[keep]
        )


def draw(font: ImageFont.FreeTypeFont, character: str) -> Image.Image | None:
    """Return a character, centred and scaled to GLYPH_SIZE; None if the font does not have it."""
    if character == "" or _ink(font, character) == _ink(font, "\U0010fffe"):
        return None
    glyph = _ink(font, character)
    if glyph is None or min(glyph.size) < 3:
        return None
    scale = GLYPH_SIZE / max(glyph.size)
    width, height = (max(2, round(side * scale)) for side in glyph.size)
    canvas = Image.new("L", (SIZE, SIZE))
    glyph = glyph.resize((width, height), Image.Resampling.LANCZOS)
    canvas.paste(glyph, ((SIZE - width) // 2, (SIZE - height) // 2))
    return canvas


def _ink(font: ImageFont.FreeTypeFont, character: str) -> Image.Image | None:
    canvas = Image.new("L", (3 * FONT_SIZE, 3 * FONT_SIZE))
    ImageDraw.Draw(canvas).text((FONT_SIZE, FONT_SIZE), character, 255, font)
    box = canvas.getbbox()
    return canvas.crop(box) if box else None


def silhouette(glyph: Image.Image) -> Image.Image:
    """Return the glyph with its holes filled: all that the paper cannot reach from the corner."""
    outside = glyph.point(lambda value: 255 if value > 96 else 0)
    ImageDraw.floodfill(outside, (0, 0), 128)
    inside = outside.point(lambda value: 0 if value == 128 else 255)
    return ImageChops.lighter(glyph, inside)


def draw_all(node_modules: Path) -> Masks:
    """Return the masks of every concept in every installed face that has it.

    Symbols have their holes filled in the silhouette; letters and digits keep them.
    """
    glyphs, silhouettes, concepts, held_out = [], [], [], []
    for face in faces(node_modules):
        font = ImageFont.truetype(str(face.path), FONT_SIZE)
        for index, concept in enumerate(CONCEPTS):
            for character in face.characters(concept):
                glyph = draw(font, character)
                if glyph is None:
                    continue
                plain = concept.startswith("the ")
                glyphs.append(np.asarray(glyph))
                silhouettes.append(np.asarray(glyph if plain else silhouette(glyph)))
                concepts.append(index)
                held_out.append(face.held_out)
    return Masks(
        torch.from_numpy(np.stack(glyphs)),
        torch.from_numpy(np.stack(silhouettes)),
        torch.tensor(concepts),
        torch.tensor(held_out),
    )


def save(masks: Masks, path: Path) -> None:
    """Write masks to a compressed file."""
    np.savez_compressed(
        path,
        glyph=masks.glyph.numpy(),
        silhouette=masks.silhouette.numpy(),
        concept=masks.concept.numpy(),
        held_out=masks.held_out.numpy(),
    )


def load(path: Path) -> Masks:
    """Read what save wrote."""
    with np.load(path) as arrays:
        return Masks(
            *(
                torch.from_numpy(arrays[name])
                for name in ("glyph", "silhouette", "concept", "held_out")
            )
        )
