"""The reveal: what is held, what moves, and the files."""

import functools
import math
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby, pairwise

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from fundiff.pictures import to_image, to_tensor
from fundiff.view_names import names, view
from jobs.animation.files import write_animation
from jobs.animation.motions import AWAY, MOTIONS, PAPER, fly, recede, turn, turn_over, wipe
from jobs.animation.reveal import HOLD, MOVE, enlarge, reveal

SIDE = 64
FPS = 20
COMPOSITIONS = [
    "flip+negate",
    "rotate_90+jigsaw:seed=7",
    "mirror+rotate_270+low_pass:2",
    "square_hinge+grayscale",
    "low_pass:2+grayscale",
    "negate+motion:9",
    "pixel_permute:64:seed=7+skew:-3",
]


def scene(side: int = SIDE) -> Image.Image:
    """Draw a house, a sun and a tree: no way of turning it leaves it as it is."""
    image = Image.new("RGB", (256, 256), (140, 190, 235))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 180, 256, 256), fill=(96, 160, 70))
    draw.ellipse((184, 15, 235, 66), fill=(255, 210, 60))
    draw.rectangle((77, 115, 180, 210), fill=(205, 90, 70))
    draw.polygon(((64, 118), (128, 56), (192, 118)), fill=(110, 50, 50))
    draw.rectangle((138, 150, 166, 210), fill=(80, 60, 50))
    draw.rectangle((30, 140, 41, 218), fill=(100, 70, 40))
    draw.ellipse((8, 77, 64, 154), fill=(40, 110, 60))
    return image.resize((side, side), Image.Resampling.BOX)


def read(name: str, picture: Image.Image) -> Image.Image:
    return to_image(view(name).read(to_tensor(picture)))


def turned(*names: str, **settings) -> list[Image.Image]:
    views = [view(name) for name in names]
    return reveal(scene(), views, **({"side": SIDE, "fps": FPS} | settings))


@functools.cache
def there_and_back(name: str) -> list[Image.Image]:
    return turned("identity", name)


def held(frames: Sequence[Image.Image], fps: int = FPS) -> list[Image.Image]:
    """Return what is held, and where it ends, without the moves."""
    runs = [list(run) for _, run in groupby(frames, key=lambda frame: frame.tobytes())]
    return [run[0] for run in runs if len(run) >= HOLD * fps] + [frames[-1]]


def jump(a: Image.Image, b: Image.Image) -> float:
    """Return the mean difference of two images, in levels of 256."""
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


# What every reveal promises


@pytest.mark.parametrize("name", names() + COMPOSITIONS)
def test_the_held_frames_are_exactly_the_readings(name):
    """From the picture as it stands to its reading and back; a reading alike is held once."""
    picture = scene()
    readings = [picture, read(name, picture), picture]
    expected = [image for image, _ in groupby(readings)]
    if len(expected) == 1:
        expected = [picture, picture]
    assert held(there_and_back(name)) == expected


@pytest.mark.parametrize("name", names() + COMPOSITIONS)
def test_a_reveal_loops_and_neighbouring_frames_differ_little(name):
    """From hold to motion and back it starts and stops gently; all frames are of one kind."""
    frames = there_and_back(name)
    assert frames[0] == frames[-1]
    assert {(frame.mode, frame.size) for frame in frames} == {("RGB", (SIDE, SIDE))}
    jumps = [jump(a, b) for a, b in pairwise(frames)]
    assert max(jumps) < 60
    hold, steps = round(HOLD * FPS), name.count("+") + 1
    assert len(frames) <= 2 * hold + 2 * steps * round(MOVE * FPS) + 1
    still = [True, *(each == 0 for each in jumps), True]
    gentle = [each for n, each in enumerate(jumps) if still[n] or still[n + 2]]
    assert max(gentle) < 16


@pytest.mark.parametrize(
    "names",
    [
        ("low_pass:2", "high_pass:2"),
        ("low_pass:2", "band:1:2", "high_pass:1"),
        ("rotate_90", "rotate_180", "rotate_270"),
        ("flip", "flip+negate", "mirror"),
    ],
)
def test_it_starts_with_the_first_view_and_comes_back_to_it(names):
    """Each reading is held in the order of the views."""
    picture = scene()
    assert held(turned(*names)) == [read(name, picture) for name in (*names, names[0])]


@pytest.mark.parametrize("name", ["flip", "jigsaw:seed=7"])
def test_what_two_views_have_in_common_is_not_undone(name):
    """From flip to flip and negate nothing is flipped: there is one step there and one back."""
    frames = turned(name, f"{name}+negate")
    assert len(frames) == 2 * round(HOLD * FPS) + 2 * round(MOVE * FPS) - 1
    assert not any(frame == scene() for frame in frames)


def test_from_one_rotation_to_another_it_goes_through_the_picture_as_it_stands():
    """It is passed once on the way to the second view, and once on the way back."""
    picture = scene()
    assert turned("rotate_90", "rotate_180").count(picture) == 2


def test_views_that_read_the_same_do_not_move():
    """The parts of a decomposition may differ for the model and not for the eye."""
    frames = turned("color", "identity", "scale:0.5")
    assert frames == [scene()] * round(HOLD * FPS)


@pytest.mark.parametrize("fps", [1, 7, 30])
def test_a_reveal_lasts_as_long_at_any_frame_rate(fps):
    """A hold of the start, the way there, a hold, the way back."""
    seconds = len(turned("identity", "flip", fps=fps)) / fps
    assert seconds == pytest.approx(2 * HOLD + 2 * MOVE, abs=2 / fps)


def test_a_small_picture_is_enlarged_smoothly_but_cells_stay_whole():
    """What is cut into cells is enlarged as it would be after the cut."""
    picture = scene()
    smooth = turned("identity", "flip", side=256)[0]
    assert smooth == picture.resize((256, 256), Image.Resampling.LANCZOS)
    small = read("pixel_permute:64:seed=7", picture)
    large = held(turned("identity", "pixel_permute:64:seed=7", side=256, fps=2), 2)
    assert large[1] == small.resize((256, 256), Image.Resampling.NEAREST)


# With an original


def test_a_wipe_reveals_the_picture_from_the_original_and_hides_it_at_the_end():
    """The original comes first and last, the views between."""
    original, picture = Image.new("RGB", (SIDE, SIDE), (90, 60, 120)), scene()
    frames = turned("identity", "grayscale", original=original)
    grey = read("grayscale", picture)
    assert held(frames) == [original, picture, grey, original]
    wiping = frames[round(HOLD * FPS + MOVE * FPS / 2)]
    assert wiping.getpixel((0, 0)) == picture.getpixel((0, 0))
    assert wiping.getpixel((SIDE - 1, 0)) == original.getpixel((0, 0))
    assert max(jump(a, b) for a, b in pairwise(frames)) < 16


def test_the_original_is_cut_square_and_its_hole_is_paper():
    """It may have any size, and a transparent part that was painted."""
    original = Image.new("RGBA", (3 * SIDE, SIDE), (255, 0, 0, 255))
    original.paste((0, 0, 255, 255), (SIDE, 0, 2 * SIDE, SIDE))
    original.paste((0, 0, 0, 0), (SIDE + 16, 16, SIDE + 48, 48))
    first = turned("identity", original=original)[0]
    assert first.size == (SIDE, SIDE)
    assert first.getpixel((0, 40)) == first.getpixel((63, 40)) == (0, 0, 255)
    assert first.getpixel((32, 32)) == PAPER


# The motions


def angle_of_sun(image: Image.Image) -> float:
    """Return where the yellow of the scene is, in degrees counter-clockwise from the right."""
    r, g, b = np.asarray(image, float).transpose(2, 0, 1)
    y, x = np.nonzero((r > 220) & (g > 180) & (b < 120))
    centre = (image.width - 1) / 2
    return math.degrees(math.atan2(centre - y.mean(), x.mean() - centre))


@pytest.mark.parametrize(
    ("name", "degrees"), [("rotate_90", 90), ("rotate_180", 180), ("rotate_270", -90)]
)
def test_a_rotation_turns_by_its_share_and_the_short_way(name, degrees):
    """Counter-clockwise if positive."""
    picture = scene(256)
    start = angle_of_sun(picture)
    for share in (0.1, 0.5, 0.9):
        now = angle_of_sun(MOTIONS[name](picture)(share))
        assert (now - start - degrees * share + 180) % 360 - 180 == pytest.approx(0, abs=1.5)


def test_no_corner_is_cut_off_from_a_rotation():
    """Along the frame's edge there is paper wherever the picture stands on a corner."""
    black = Image.new("RGB", (128, 128))
    for share in (0.3, 0.5, 0.7):
        dark = (np.asarray(turn(black, 90, share)) < 40).all(-1)
        size = 1 / (math.cos(share * math.pi / 2) + math.sin(share * math.pi / 2))
        assert dark.mean() == pytest.approx(size**2, abs=0.03)


@pytest.mark.parametrize("upright", [False, True])
def test_the_back_of_a_card_is_seen_only_once_edge_on_is_passed(upright):
    """Before, the sun is where it was; after, where it will be; at the edge next to nothing."""
    picture = scene(256)
    turned_round = picture.transpose(
        Image.Transpose.FLIP_LEFT_RIGHT if upright else Image.Transpose.FLIP_TOP_BOTTOM
    )
    for share in (0.05, 0.25, 0.4, 0.6, 0.75, 0.95):
        now = angle_of_sun(turn_over(picture, upright, share))
        there = angle_of_sun(picture if share < 0.5 else turned_round)
        assert now // 90 == there // 90
    edge = np.asarray(turn_over(picture, upright, 0.5))
    assert 0 < (edge != PAPER).any(-1).mean() < 0.05


def test_a_card_that_is_turned_over_stays_in_its_frame():
    """The near edge is as wide as the frame, the far one narrower."""
    black = Image.new("RGB", (128, 128))
    dark = (np.asarray(turn_over(black, False, 0.3)) < 128).all(-1)
    widths = dark.sum(1)[dark.any(1)]
    assert widths.max() >= 124
    assert not dark[0].any()
    assert not dark[-1].any()
    assert widths.min() < 0.75 * widths.max()


def test_a_negative_fades_through_grey():
    """Halfway there is nothing but grey."""
    frames = turned("identity", "negate")
    halfway = frames[round(HOLD * FPS) - 1 + round(MOVE * FPS / 2)]
    assert jump(halfway, Image.new("RGB", halfway.size, (127, 127, 127))) <= 1


def test_a_hybrid_recedes_and_comes_back_blurred():
    """Halfway it is small and above paper; near the end it is large and blurred."""
    picture = scene(256)
    away = (np.asarray(recede(picture, 2, 0.5)) != PAPER).any(-1)
    assert away.any(0).sum() == pytest.approx(AWAY * 256, abs=2)
    assert away.any(1).sum() == pytest.approx(AWAY * 256, abs=2)
    coming = recede(picture, 2, 0.75)
    box = (45, 45, 256 - 45, 256 - 45)
    blurred = read("low_pass:2", picture).resize((166, 166), Image.Resampling.LANCZOS)
    assert jump(coming.crop(box), blurred) < 2
    assert jump(recede(picture, 2, 0.001), picture) < 1
    assert jump(recede(picture, 2, 0.999), read("low_pass:2", picture)) < 1


def test_a_piece_flies_straight_and_turns_as_it_does_in_the_view():
    """The middle square of the hinge stays in place and turns left by its share."""
    picture = Image.new("RGB", (256, 256), (30, 30, 30))
    # A mark to the right of the centre, within the middle square.
    picture.paste((255, 210, 60), (150, 122, 162, 134))
    (cells,) = (frame.cells for frame in view("square_hinge").frames)
    assert cells is not None
    for share in (0.2, 0.5, 0.8):
        now = fly(picture, cells)(share)
        assert angle_of_sun(now) == pytest.approx(90 * share, abs=4)


def test_a_cell_is_halfway_at_half_the_way():
    """One marked square of a permutation is where the middle between start and end is."""
    (cells,) = (frame.cells for frame in view("patch_permute:4:seed=1").frames)
    assert cells is not None
    target = 5
    row, column = divmod(int(cells.source.ravel()[target]), 4)
    picture = Image.new("RGB", (128, 128), (30, 30, 30))
    picture.paste((255, 0, 0), (column * 32, row * 32, column * 32 + 32, row * 32 + 32))
    red = np.asarray(fly(picture, cells)(0.5), int)
    y, x = np.nonzero((red[..., 0] > 200) & (red[..., 1] < 60))
    middle = ((row + target // 4) * 16 + 15.5, (column + target % 4) * 16 + 15.5)
    # Others may lie above it.
    assert abs(y - middle[0]).max() <= 16
    assert abs(x - middle[1]).max() <= 16


def test_a_wipe_shows_the_one_to_the_left_of_its_edge_and_the_other_to_the_right():
    """The edge is a white line."""
    black, red = Image.new("RGB", (128, 128)), Image.new("RGB", (128, 128), (255, 0, 0))
    row = [wipe(black, red, 0.25).getpixel((x, 64)) for x in range(128)]
    assert row == [(255, 0, 0)] * 32 + [(255, 255, 255)] + [(0, 0, 0)] * 95


# What is refused


@pytest.mark.parametrize(
    ("names", "size", "side", "message"),
    [
        ((), (64, 64), 64, "without a view"),
        (("flip",), (64, 48), 64, "64x48 is not square"),
        (("jigsaw:seed=7",), (64, 64), 100, "100 px do not divide into 32 cells.*side of 96"),
        (("identity",), (64, 64), 0, "side of 1"),
    ],
)
def test_what_cannot_be_revealed_is_refused_in_words(names, size, side, message):
    with pytest.raises(ValueError, match=message):
        enlarge(Image.new("RGB", size), [view(name) for name in names], side)


# The files


def moving(count: int, size: tuple[int, int] = (64, 64)) -> list[Image.Image]:
    """Draw a square that moves over the scene, another place in every frame."""
    frames = []
    for number in range(count):
        frame = scene().resize(size)
        frame.paste((250, 40, 40), (number, 20, number + 12, 32))
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".GIF"])
def test_a_gif_or_webp_has_the_frames_the_size_and_the_duration_and_loops(suffix, tmp_path):
    """What is held is one frame that lasts; durations add up to the whole."""
    first, *rest = moving(12)
    path = tmp_path / f"turn{suffix}"
    write_animation([first] * 9 + rest, path, fps=30)
    with Image.open(path) as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (12, (64, 64), 0)
        assert jump(image.convert("RGB"), first) < 8
        durations = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
            assert jump(image.convert("RGB"), [first, *rest][number]) < 8
    assert sum(durations) == pytest.approx(20 / 30 * 1000, abs=10)
    assert durations[0] == 300
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("size", "coded"), [((64, 64), (64, 64)), ((65, 71), (66, 72))])
def test_an_mp4_is_h264_with_every_frame_and_even_sides(size, coded, tmp_path):
    """An odd side gets its last line twice."""
    frames = moving(12, size)
    path = tmp_path / "turn.mp4"
    write_animation([*frames, frames[-1]], path, fps=25)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        images = [frame.to_image() for frame in file.decode(stream)]
        assert stream.duration is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(13 / 25)
    assert len(images) == 13
    assert {image.size for image in images} == {coded}
    for image, frame in zip(images, frames, strict=False):
        assert jump(image.crop((0, 0, *size)), frame) < 8
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_colours_of_an_mp4_are_those_of_its_frames(tmp_path):
    """The matrix by which they are coded is the one that the file names."""
    path = tmp_path / "red.mp4"
    write_animation([Image.new("RGB", (64, 64), (230, 30, 40))] * 2, path)
    with av.open(str(path)) as file:
        image = next(file.decode(video=0)).to_image()
    assert jump(image, Image.new("RGB", (64, 64), (230, 30, 40))) < 3


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_reveal_can_be_written(suffix, tmp_path):
    """The first frame read back is nearly the first reading."""
    frames = turned("rotate_90", "negate", fps=10)
    path = tmp_path / f"turn{suffix}"
    write_animation(frames, path, fps=10)
    if suffix == ".mp4":
        with av.open(str(path)) as file:
            first = next(file.decode(video=0)).to_image()
    else:
        with Image.open(path) as image:
            first = image.convert("RGB")
    assert jump(first, frames[0]) < 8


@pytest.mark.parametrize("name", ["turn.png", "turn", "gif"])
def test_another_suffix_is_refused_with_what_is_allowed(name, tmp_path):
    with pytest.raises(ValueError, match=r"'(turn|gif).*\.gif, \.webp, \.mp4"):
        write_animation(moving(2), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 20, "no mode and size"),
        ([Image.new("RGB", (8, 8)), Image.new("RGB", (9, 8))], 20, "one size"),
        ([Image.new("L", (8, 8))], 20, "RGB"),
        ([Image.new("RGB", (8, 8))], 0, "take 1 to 50"),
        ([Image.new("RGB", (8, 8))], 51, "take 1 to 50"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(frames, fps, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_animation(frames, tmp_path / "turn.gif", fps)
    assert not list(tmp_path.iterdir())


def test_a_file_that_fails_leaves_the_one_before(tmp_path):
    """Written whole or not at all; here WebP's limit of 16383 px is exceeded."""
    path = tmp_path / "turn.webp"
    write_animation(moving(2), path)
    before = path.read_bytes()
    too_wide = [Image.new("RGB", (16384, 1)), Image.new("RGB", (16384, 1), "red")]
    with pytest.raises(RuntimeError, match="adding frame"):
        write_animation(too_wide, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_module_is_light():
    """Commands that only plan, look or rank may import it."""
    code = (
        "import sys, jobs.animation.files, jobs.animation.reveal\n"
        "print({'torch', 'av', 'diffusers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
