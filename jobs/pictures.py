"""The pictures of a run's best candidates, as they are stored."""

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from manifests.index import load_pictures, top
from manifests.layout import RunFolder


def best_pictures(
    folder: RunFolder, best: int, **filters: Any
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the best candidates with the picture of the last of stages I and II."""
    for row in top(folder, best, **filters):
        first, second = load_pictures(folder, row["part"], row["row"])
        picture = second or first
        assert picture is not None  # `top` lists only candidates with a picture
        yield row, picture


def image_of(png: bytes) -> Image.Image:
    """Return a stored picture as an image."""
    return Image.open(io.BytesIO(png))
