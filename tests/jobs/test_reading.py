"""Views fit their kind, and the tables know the library's names."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fundiff.anagram import REDUCTIONS
from fundiff.samplers import SAMPLERS
from fundiff.schedule import NAMED_TIMESTEPS, timesteps
from fundiff.view_names import names
from jobs.reading import check_keep, check_views, read_requests_from
from manifests import records
from manifests.manifest import write_manifest
from manifests.records import Picture
from manifests.schemas import MANIFEST
from tests.manifests.rows import inpainting, png, request


def test_the_tables_and_the_library_know_the_same_names():
    """The two packages may not import each other."""
    assert records.REDUCTIONS == REDUCTIONS
    assert tuple(SAMPLERS) == records.SAMPLERS
    assert tuple(records.TIMESTEPS) == NAMED_TIMESTEPS


@pytest.mark.parametrize("name", ["", "stride:30", "stride:999", "stride:1", *NAMED_TIMESTEPS])
def test_the_tables_know_how_many_timesteps_the_library_walks(name):
    """The launcher counts without the library's lists."""
    assert records.count_timesteps(name, 17) == len(timesteps(name, 17))


@pytest.mark.parametrize(
    ("kind", "views", "keep"),
    [
        ("generate", ["identity"], ""),
        ("anagram", ["identity", "flip+negate", "jigsaw:seed=7", "skew:1.5"], ""),
        ("anagram", ["low_pass:2", "high_pass:2", "flip+low_pass:3", "flip+high_pass:3"], ""),
        ("anagram", ["grayscale", "color", "mirror"], ""),
        ("hybrid", ["triple_low", "triple_medium", "triple_high"], ""),
        ("hybrid", ["low_pass:4", "band:2:4", "band:1:2", "high_pass:1"], ""),
        ("hybrid", ["rotate_90+motion:9", "rotate_90+motion_res:9"], ""),
        ("hybrid", ["scale:1.5", "scale:-0.5"], ""),
        ("inpaint", ["identity", "flip"], ""),
        ("inpaint", ["low_pass:2", "high_pass:2"], ""),
        ("edit", ["identity"], ""),
        ("inverse", ["color"], "grayscale"),
        ("inverse", ["triple_high", "triple_low"], "triple_medium"),
    ],
)
def test_views_that_go_together_are_taken(kind, views, keep):
    """Frames of any number, components that add up to the whole in each."""
    assert check_views(kind, views, keep) is None


@pytest.mark.parametrize(
    ("kind", "views", "keep", "words"),
    [
        ("generate", ["flip"], "", "leave views out"),
        ("denoise", ["low_pass:2"], "", "low_pass:2|high_pass:2, "),
        ("anagram", ["low_pass:2", "high_pass:2"], "", "belong to kind hybrid"),
        ("anagram", ["identity", "flip", "flip"], "", "views flip|flip do not add up"),
        ("anagram", ["identity", "low_pass:2"], "", "do not add up to one whole picture"),
        ("hybrid", ["low_pass:2", "high_pass:3"], "", "with the same parameters throughout"),
        ("hybrid", ["identity", "flip"], "", "choose from low_pass:2|high_pass:2, "),
        ("hybrid", ["identity"], "", "not the components of one whole picture"),
        ("inverse", ["high_pass:2"], "grayscale", "do not add up"),
        ("inverse", ["flip"], "identity", "turn the picture; an inverse problem takes components"),
        (
            "inverse",
            ["flip+high_pass:2"],
            "flip+low_pass:2",
            "an inverse problem takes components",
        ),
        ("inverse", ["scale:-0.4"], "scale:1.4", "only steer away from prompts"),
        ("anagram", ["flip+mirror", "rotate_180"], "", "do not add up to one whole picture"),
        ("anagram", ["identity", "flip+flip"], "", "turns the picture back to what it was"),
        ("inverse", ["color"], "greyscale", "choose from identity, flip"),
        ("inpaint", ["identity", "low_pass:2"], "", "do not add up"),
        ("edit", ["jigsaw"], "", "written as in jigsaw:seed=7"),
    ],
)
def test_views_that_do_not_go_together_are_refused_with_what_would(kind, views, keep, words):
    """One line, with the valid ones."""
    said = check_views(kind, views, keep)
    assert said is not None
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize("keep", ["grayscale", "low_pass:3", "triple_low", "low_pass:2+color"])
def test_a_component_may_be_kept(keep):
    """Any of a picture that is not noise times a factor."""
    assert check_keep(keep) is None


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        ("grayscle", "view 'grayscle' is unknown; choose from low_pass:2, high_pass:2, "),
        ("low_pass", "lacks a number from 0.4 to 16; it is written as in low_pass:2"),
        ("flip", "'flip' is no component of a picture that can be kept; choose from low_pass:2"),
        ("flip+low_pass:2", "is no component of a picture that can be kept"),
        ("scale:0.5", "is no component of a picture that can be kept"),
        ("identity", "is no component of a picture that can be kept"),
    ],
)
def test_what_is_no_component_cannot_be_kept(keep, words):
    """The valid ones are listed, and no turns among them."""
    said = check_keep(keep)
    assert said is not None
    assert words in said
    assert "mirror" not in said


def test_an_unknown_view_is_answered_with_all_of_them():
    """Each as a user would write it."""
    said = check_views("anagram", ["identity", "flp"])
    assert said is not None
    assert all(name in said for name in names())


def stored(image: Image.Image, **save) -> Picture:
    """A picture as somebody else's program might store it."""
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} | save))
    return Picture(buffer.getvalue())


def mask(*white: int, size: tuple[int, int] = (4, 4), grey: int = 255) -> Picture:
    """A mask that is white in a box."""
    image = Image.new("L", size, 0)
    if white:
        image.paste(grey, white)
    return stored(image)


def turned() -> Picture:
    """A picture that its EXIF data turn by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return stored(Image.new("RGB", (4, 4)), exif=exif)


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ({"mask": mask(0, 0, 2, 2, size=(8, 4))}, "must be alike"),
        ({"mask": mask()}, "paint 0 and 255"),
        ({"mask": mask(0, 0, 4, 4)}, "paint 0 and 255"),
        ({"mask": mask(0, 0, 2, 2, grey=100)}, "paint 0 and 255"),
        ({"mask": stored(Image.new("RGB", (4, 4)))}, "mask is no plain 8-bit L PNG"),
        ({"image": stored(Image.new("I;16", (4, 4)))}, "image is no plain 8-bit RGB PNG"),
        ({"image": stored(Image.new("RGBA", (4, 4)))}, "image is no plain 8-bit RGB PNG"),
        ({"image": turned()}, "image is no plain 8-bit RGB PNG"),
        ({"image": stored(Image.new("RGB", (4, 4)), format="JPEG")}, "image is damaged or no PNG"),
    ],
)
def test_pictures_in_a_manifest_of_another_hand_are_taken_as_ours_store_them_or_not_at_all(
    tmp_path, pictures, words
):
    """Otherwise another reader's ways with them would decide what is drawn."""
    good = {"image": png(9), "mask": mask(0, 0, 2, 2)}
    write_manifest([inpainting(**good), inpainting(**good | pictures)], tmp_path / "m.parquet")
    requests, problems = read_requests_from(tmp_path / "m.parquet")
    assert len(requests) == 1
    ((line, message),) = [(problem.line, problem.message) for problem in problems]
    assert line == 2
    assert words in message


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"prompts": ["a", None]}, "something that is no text"),
        ({"views": [None, "flip"]}, "something that is no text"),
        ({"want": 9, "max_candidates": 2, "candidates": 2}, "more than the 2 candidates"),
        ({"accept": 7.0}, "accept is 7.0; choose -1 to 1"),
        ({"prompts": ["a\x1b[2J", "b"]}, "holds a control character"),
        ({"sampler": "euler"}, "sampler 'euler' is unknown"),
        ({"timesteps": "stride:030"}, "are unknown"),
    ],
)
def test_every_bad_row_of_a_manifest_of_another_hand_is_listed_by_its_number(
    tmp_path, changed, words
):
    """As rows of a source are; none ends in a traceback."""
    write_manifest([request(), request(seed=1)], tmp_path / "good.parquet")
    rows = pq.read_table(tmp_path / "good.parquet").to_pylist()
    table = pa.Table.from_pylist([rows[0], rows[1] | changed], schema=MANIFEST)
    pq.write_table(table, tmp_path / "m.parquet")
    requests, problems = read_requests_from(tmp_path / "m.parquet")
    assert len(requests) >= 1
    assert {problem.line for problem in problems} == {2}
    assert any(words in problem.message for problem in problems), problems
