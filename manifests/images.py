"""Reads input pictures and masks into PNG bytes that fit in a manifest.

A picture file comes from outside: it may be missing, cut short, a bomb, or no picture at all.
Each of these ends in a ValueError that says which.
"""

import io
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.records import Picture

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 64_000_000
# EPS and the like are left out: Pillow hands them to outside programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


def read_image(path: Path, base: Path, allow_outside: bool) -> Picture:
    """Return the picture as RGB PNG bytes, turned as its EXIF says, transparent parts on white.

    Args:
        path: The file, absolute or relative to `base`.
        base: The folder of the manifest's source.
        allow_outside: Whether a file outside `base` (links followed) may be read.

    Raises:
        ValueError: If the file is missing, outside, too large, cut short or not a picture.
    """
    return Picture(bytes=_png_bytes(_open_rgb(path, base, allow_outside)), path=path.name)


def read_mask(path: Path, base: Path, allow_outside: bool, size: tuple[int, int]) -> Picture:
    """Return the mask as PNG bytes of one channel: 255 where to repaint, 0 where to keep.

    White means repaint, the common convention of drawing programs. The library's `keep_mask` is
    the opposite: 1 means keep. Grey is cut at 128; transparent counts as white.

    Args:
        path: The file, absolute or relative to `base`.
        base: The folder of the manifest's source.
        allow_outside: Whether a file outside `base` (links followed) may be read.
        size: Width and height of the image, which the mask must share.

    Raises:
        ValueError: As `read_image`, or if the size differs or the mask is all black or all white.
    """
    grey = _open_rgb(path, base, allow_outside).convert("L")
    if grey.size != tuple(size):
        raise ValueError(
            f"mask {path.name!r} is {grey.width}x{grey.height} but its image is "
            f"{size[0]}x{size[1]}; draw the mask on the image's own size"
        )
    mask = grey.point([0] * 128 + [255] * 128)
    width, height = mask.size
    darkest, lightest = mask.crop(central_square(width, height)).getextrema()
    if darkest == lightest:
        colour, effect = ("white", "keeps nothing") if darkest else ("black", "repaints nothing")
        where = "" if width == height else " in the central square, which is what is drawn"
        raise ValueError(
            f"mask {path.name!r} is all {colour}{where}, which {effect}; "
            "paint white what to repaint and black what to keep"
        )
    return Picture(bytes=_png_bytes(mask), path=path.name)


def require_stored(image: Picture, mask: Picture | None) -> None:
    """Refuse pictures that are not as `read_image` and `read_mask` store them.

    Others may have written a manifest; what is drawn must not depend on how a reader of theirs
    would turn, scale or convert a picture.

    Args:
        image: RGB, 8 bits, upright, opaque PNG.
        mask: One channel of 0 and 255, of the image's size, not all of one of them where it is
            drawn; or None.

    Raises:
        ValueError: With what is wrong.
    """
    shown = _open_stored(image, "image", "RGB")
    if mask is None:
        return
    held = _open_stored(mask, "mask", "L")
    if held.size != shown.size:
        raise ValueError(f"mask is {held.size} but its image {shown.size}; they must be alike")
    levels = {level for _, level in held.crop(central_square(*held.size)).getcolors() or ()}
    if levels != {0, 255}:
        raise ValueError(f"mask has levels {sorted(levels)[:4]} in its square; paint 0 and 255")


def _open_stored(picture: Picture, what: str, mode: str) -> "Image.Image":
    from PIL import Image

    try:
        image: Image.Image = Image.open(io.BytesIO(picture.bytes), formats=("PNG",))
        is_plain = image.mode == mode and not image.has_transparency_data and not image.getexif()
        if image.width * image.height <= MAX_PIXELS:
            image.load()
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files.
        raise ValueError(f"{what} is damaged or no PNG ({error}); have it built") from error
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_many_pixels(Path(what), image.size))
    if not is_plain:
        raise ValueError(f"{what} is no plain 8-bit {mode} PNG; have it built")
    return image


def central_square(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) of a picture that is drawn."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


@dataclass(slots=True)
class Pictures:
    """Reads each picture of a source once, however many rows name it."""

    base: Path
    allow_outside: bool
    images: dict[str, Picture | ValueError] = field(default_factory=dict)
    masks: dict[tuple[str, tuple[int, int]], Picture | ValueError] = field(default_factory=dict)

    def image(self, path: str) -> Picture | ValueError:
        """Return an image, or what is wrong with it."""
        if path not in self.images:
            try:
                self.images[path] = read_image(Path(path), self.base, self.allow_outside)
            except ValueError as error:
                self.images[path] = error
        return self.images[path]

    def mask(self, path: str, size: tuple[int, int]) -> Picture | ValueError:
        """Return the mask of an image of this size, or what is wrong with it."""
        if (path, size) not in self.masks:
            try:
                mask = read_mask(Path(path), self.base, self.allow_outside, size)
                self.masks[path, size] = mask
            except ValueError as error:
                self.masks[path, size] = error
        return self.masks[path, size]


def picture_size(picture: Picture) -> tuple[int, int]:
    """Return width and height in pixels, from the PNG header alone."""
    width, height = struct.unpack(">II", picture.bytes[16:24])
    return width, height


def _open_rgb(path: Path, base: Path, allow_outside: bool) -> "Image.Image":
    from PIL import Image, ImageOps, UnidentifiedImageError

    data = _read_bytes(path, base, allow_outside)
    # Pillow's own warnings (bombs, damaged EXIF) are answered by the checks below.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise ValueError(
                f"{path.name!r} is not a picture that can be read; use {', '.join(FORMATS)}"
            ) from None
        except Image.DecompressionBombError:
            raise ValueError(_too_many_pixels(path)) from None
        except Exception as error:  # Pillow's readers raise nearly anything on damaged files.
            raise ValueError(f"{path.name!r} is damaged ({error}); save it again") from error
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(_too_many_pixels(path, image.size))
        try:
            image.load()
            image = ImageOps.exif_transpose(image)
            return _to_rgb(image)
        except Exception as error:
            raise ValueError(
                f"{path.name!r} is truncated, damaged or of an unusual kind ({error}); "
                "copy it again or save it as an 8-bit PNG"
            ) from error


def _too_many_pixels(path: Path, size: tuple[int, int] | None = None) -> str:
    got = f"{size[0]}x{size[1]} pixels" if size else "a decompression bomb"
    return f"{path.name!r} is {got}, too many; at most {MAX_PIXELS // 10**6} million are read"


def _read_bytes(path: Path, base: Path, allow_outside: bool) -> bytes:
    if "\0" in str(path):
        raise ValueError(f"{str(path)!r} holds a NUL character; check the path")
    try:
        folder = base.resolve()
        resolved = (folder / path).resolve()
        if not allow_outside and not resolved.is_relative_to(folder):
            raise ValueError(
                f"{str(path)!r} is outside the folder {str(folder)!r}; "
                "move it there or allow files from outside"
            )
        if not resolved.exists():
            raise ValueError(f"{str(path)!r} does not exist in {str(folder)!r}; check the path")
        if not resolved.is_file():
            raise ValueError(f"{str(path)!r} is not a file; name a picture file")
        with resolved.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, RuntimeError, UnicodeError) as error:
        raise ValueError(f"{str(path)!r} cannot be read ({error}); check the path") from error
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(
            f"{str(path)!r} is larger than {MAX_FILE_BYTES // 1024**2} MB; save it smaller"
        )
    return data


def _to_rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "F":
        raise ValueError("it holds floating-point numbers, of unknown range")
    if image.mode.startswith("I"):
        return _sixteen_to_eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _sixteen_to_eight_bits(image: "Image.Image") -> "Image.Image":
    """Return the picture scaled from 0..65535 to 0..255; Pillow's own conversion would clip."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image.convert("I")).clip(0, 65535)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _png_bytes(image: "Image.Image") -> bytes:
    # Otherwise Pillow writes the source's colour profile and transparency into the PNG.
    image.info = {}
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
