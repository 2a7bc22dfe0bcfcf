"""Pictures between tensors and 8-bit images."""

import numpy as np
import pytest
import torch
from PIL import Image

from fundiff.pictures import keep_mask, square, to_image, to_tensor


def test_an_8_bit_image_survives_the_round_trip():
    """So a stage can be conditioned on a stored picture and give the same bits."""
    levels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(levels)
    assert np.array_equal(np.asarray(to_image(to_tensor(image))), levels)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_picture_that_is_not_finite_is_refused(bad):
    """NaN must not pass for black."""
    x = torch.zeros((3, 4, 4))
    x[0, 1, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        to_image(x)


def test_the_centre_of_an_oblong_image_is_kept():
    """Half of what is cut off is cut on either side."""
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (10, 0, 30, 20))
    assert square(image, 5).getcolors() == [(25, (0, 0, 255))]


def test_white_is_repainted_and_a_pixel_that_is_partly_white_too():
    """The mask image's convention is the common one, ours says which side it keeps."""
    mask = Image.new("L", (8, 8), 0)
    mask.putpixel((2, 2), 255)
    mask.paste(255, (4, 4, 8, 8))
    keep = keep_mask(mask, 4)[0]
    assert keep.shape == (4, 4)
    assert keep[1, 1] == 0
    assert keep[2:, 2:].sum() == 0
    assert keep.sum() == 16 - 1 - 4
