"""The pictures of a card besides its own: what it reads as, and what it started from."""

from collections.abc import Sequence

from PIL import Image

from fundiff.view_names import view
from jobs.curation.looks import has_original, is_live
from jobs.pictures import image_of, png_of
from manifests.images import central_square
from manifests.records import Request


def readings_of(views: Sequence[str], picture: bytes) -> dict[str, bytes]:
    """Return PNG files of what is seen in the views that a page cannot make with CSS."""
    names = [name for name in views if not is_live(name)]
    if not names:
        return {}
    from fundiff.pictures import to_image, to_tensor  # imports torch

    x = to_tensor(image_of(picture))
    return {name: png_of(to_image(view(name).read(x))) for name in names}


def original_of(request: Request, picture: bytes) -> bytes | None:
    """Return what a picture started from, at its size, the hole transparent; None if nothing."""
    if request.image is None or not has_original(request.kind):
        return None
    mask = None if request.mask is None else request.mask.bytes
    return cut_original(request.image.bytes, mask, image_of(picture).size)


def cut_original(image: bytes, mask: bytes | None, size: tuple[int, int]) -> bytes:
    """Return an image's central square at this size, transparent where the mask is white."""
    original = _square(image).resize(size, Image.Resampling.BOX)
    if mask is not None:
        hole = _square(mask).convert("L").resize(size, Image.Resampling.BOX)
        original.putalpha(hole.point([255] + [0] * 255))
    return png_of(original)


def _square(picture: bytes) -> Image.Image:
    image = image_of(picture).convert("RGB")
    return image.crop(central_square(*image.size))
