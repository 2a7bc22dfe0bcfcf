"""Tests of reading pictures and masks."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manifests.images import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    picture_size,
    read_image,
    read_mask,
)


def decoded(picture):
    return Image.open(io.BytesIO(picture.bytes))


def half_mask(path, size=(8, 6)):
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    mask.save(path)


def png_that_claims(width, height):
    """Return a few bytes of PNG whose header promises a picture of any size."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def test_a_picture_keeps_its_pixels_and_only_the_name_of_its_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    picture = read_image(tmp_path / "in" / "a.png", tmp_path, False)
    assert picture.path == "a.png"
    assert decoded(picture).format == "PNG"
    np.testing.assert_array_equal(np.asarray(decoded(picture)), pixels)
    assert picture_size(picture) == (8, 6)


def test_a_picture_is_turned_as_its_camera_held_it(tmp_path):
    image = Image.new("RGB", (8, 6), "black")
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    image.save(tmp_path / "a.png", exif=exif)
    turned = decoded(read_image(tmp_path / "a.png", tmp_path, False))
    assert turned.size == (6, 8)
    assert turned.getpixel((5, 0)) == (255, 0, 0)
    assert turned.getexif().get(0x0112) is None


def test_transparent_parts_become_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    image.save(tmp_path / "a.png")
    flat = decoded(read_image(tmp_path / "a.png", tmp_path, False))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (10, 20, 30)]


def test_a_palette_with_a_transparent_colour_becomes_white_there(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([9, 9, 9, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    flat = decoded(read_image(tmp_path / "a.png", tmp_path, False))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (40, 50, 60)]


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 0x8080, 0xFFFF]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    grey = decoded(read_image(tmp_path / "a.png", tmp_path, False))
    assert [grey.getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (128,) * 3, (255,) * 3]


@pytest.mark.parametrize(
    ("mode", "name"),
    [("CMYK", "a.jpg"), ("L", "a.jpg"), ("1", "a.png"), ("LA", "a.png"), ("P", "a.gif")],
)
def test_every_common_mode_becomes_rgb(tmp_path, mode, name):
    Image.new(mode, (8, 6)).save(tmp_path / name)
    assert decoded(read_image(tmp_path / name, tmp_path, False)).mode == "RGB"


def test_a_colour_profile_is_left_behind(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png", icc_profile=profile)
    assert "icc_profile" not in decoded(read_image(tmp_path / "a.png", tmp_path, False)).info


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'a\.png' does not exist"):
        read_image(Path("a.png"), tmp_path, False)


def test_a_folder_is_no_picture(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="is not a file"):
        read_image(tmp_path / "a", tmp_path, False)


@pytest.mark.parametrize("name", ["a\0b.png", "a" * 5000, "\udcff.png"])
def test_a_path_that_no_file_can_have_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=r"check the path"):
        read_image(tmp_path / name, tmp_path, False)


def test_text_is_no_picture(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(ValueError, match="is not a picture"):
        read_image(tmp_path / "a.png", tmp_path, False)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff"])
def test_a_truncated_picture_is_named(tmp_path, name):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"truncated|not a picture|damaged"):
        read_image(tmp_path / name, tmp_path, False)


@pytest.mark.parametrize("side", [8001, 10_000, 60_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    """The three sizes lie above our bound, above Pillow's warning and above Pillow's error."""
    assert side**2 > MAX_PIXELS
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.png").write_bytes(png_that_claims(side, side))
    with pytest.raises(ValueError, match="too many; at most 64 million"):
        read_image(tmp_path / "a.png", tmp_path, False)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_file_that_is_too_large_is_refused(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 64 MB"):
        read_image(tmp_path / "a.png", tmp_path, False)


@pytest.mark.parametrize("how", ["dots", "absolute", "link"])
def test_a_picture_outside_the_folder_is_read_only_if_allowed(tmp_path, how):
    base = tmp_path / "base"
    base.mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    (base / "link.png").symlink_to(tmp_path / "a.png")
    paths = {"dots": base / ".." / "a.png", "absolute": tmp_path / "a.png"}
    path = paths.get(how, base / "link.png")
    with pytest.raises(ValueError, match="outside the folder"):
        read_image(path, base, False)
    assert picture_size(read_image(path, base, True)) == (8, 6)


def test_a_link_to_itself_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png"):
        read_image(tmp_path / "a.png", tmp_path, False)


def test_a_mask_is_cut_at_128_and_white_stays_white(tmp_path):
    mask = Image.new("L", (4, 4))
    for x, value in enumerate((0, 127, 128, 255)):
        mask.paste(value, (x, 0, x + 1, 4))
    mask.save(tmp_path / "m.png")
    cut = decoded(read_mask(tmp_path / "m.png", tmp_path, False, (4, 4)))
    assert cut.mode == "L"
    assert [cut.getpixel((x, 0)) for x in range(4)] == [0, 0, 255, 255]


def test_a_mask_of_another_size_is_refused(tmp_path):
    half_mask(tmp_path / "m.png")
    with pytest.raises(ValueError, match="is 8x6 but its image is 6x8"):
        read_mask(tmp_path / "m.png", tmp_path, False, (6, 8))


@pytest.mark.parametrize(("colour", "name"), [(100, "black"), (200, "white")])
def test_a_mask_of_one_colour_is_refused(tmp_path, colour, name):
    Image.new("L", (8, 6), colour).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match=f"is all {name}"):
        read_mask(tmp_path / "m.png", tmp_path, False, (8, 6))


def test_a_mask_counts_in_the_central_square_which_is_what_is_drawn(tmp_path):
    """White at the far left of a wide mask repaints nothing."""
    mask = Image.new("L", (20, 10), 0)
    mask.paste(255, (0, 0, 4, 10))
    mask.save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="all black in the central square"):
        read_mask(tmp_path / "m.png", tmp_path, False, (20, 10))
    mask.paste(255, (0, 0, 7, 10))
    mask.save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", tmp_path, False, (20, 10)).path == "m.png"
