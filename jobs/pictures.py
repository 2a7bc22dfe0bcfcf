"""The pictures of a run's best candidates, as they are stored."""

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from manifests.filters import Filters
from manifests.index import load_pictures
from manifests.layout import RunFolder
from manifests.ranking import ranking


def best_pictures(
    folder: RunFolder, best: int, **filters: Any
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the best candidates with the picture of the last of stages I and II."""
    for row in ranking(folder, best, Filters(**filters)):
        first, second = load_pictures(folder, row["part"], row["row"])
        picture = second or first
        assert picture is not None  # only those with a picture are ranked
        yield row, picture


def image_of(png: bytes) -> Image.Image:
    """Return a stored picture as an image."""
    return Image.open(io.BytesIO(png))


def png_of(image: Image.Image) -> bytes:
    """Return an image as it is stored: PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
