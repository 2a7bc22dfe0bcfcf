"""What a command line asks for becomes the request that a manifest's row would be."""

import pytest
from PIL import Image

from jobs.reading import SourceError
from jobs.trying import cells_of, request_of


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    """An image and a mask in the folder where the command is typed."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "image.png")
    mask = Image.new("L", (8, 8), 0)
    mask.paste(255, (0, 0, 4, 8))
    mask.save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("prompts", "views", "cells", "kind", "settled"),
    [
        (["a"], [], {}, "generate", ("identity",)),
        (["a", "b"], [], {}, "anagram", ("identity", "flip")),
        (["a", "b"], ["flip"], {}, "anagram", ("identity", "flip")),
        (["a", "b", "c"], ["flip", "mirror"], {}, "anagram", ("identity", "flip", "mirror")),
        (["a", "b"], ["rotate_90", "flip"], {}, "anagram", ("rotate_90", "flip")),
        (["a", "b"], ["low_pass:3"], {}, "hybrid", ("low_pass:3", "high_pass:3")),
        (["a", "b"], ["color"], {}, "hybrid", ("color", "grayscale")),
        (["a", "b"], [], {"kind": "hybrid"}, "hybrid", ("low_pass:2", "high_pass:2")),
        (["a"], [], {"image": "image.png"}, "edit", ("identity",)),
        (["a"], [], {"image": "image.png", "kind": "denoise"}, "denoise", ("identity",)),
        (["a"], [], {"image": "image.png", "mask": "mask.png"}, "inpaint", ("identity",)),
        (["a"], [], {"image": "image.png", "keep": "grayscale"}, "inverse", ("color",)),
        (["a"], ["color"], {"image": "image.png", "keep": "grayscale"}, "inverse", ("color",)),
    ],
)
def test_the_kind_and_the_views_follow_from_what_is_given(prompts, views, cells, kind, settled):
    """As one would expect them."""
    request = request_of(prompts, views, cells)
    assert (request.kind, request.views) == (kind, settled)


def test_settings_are_read_as_a_manifests_cells_are():
    """Numbers are numbers."""
    cells = cells_of({"candidates": 5, "kind": None}, ["guidance_scale=10", "tags=x|y"])
    request = request_of(["a", "b"], [], cells)
    assert (request.candidates, request.guidance_scale, request.tags) == (5, 10.0, ("x", "y"))


def test_everything_that_is_wrong_is_said_at_once():
    """In one line."""
    with pytest.raises(SourceError) as refused:
        request_of(["a", "b"], ["flp"], {"seed": "-1", "sampler": "euler"})
    for words in ("'flp' is unknown", "seed is outside", "'euler' is unknown"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
