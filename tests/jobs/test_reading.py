"""Views fit their kind, and the tables know the library's names."""

import pytest

from fundiff.anagram import REDUCTIONS
from fundiff.samplers import SAMPLERS
from fundiff.schedule import NAMED_TIMESTEPS, timesteps
from fundiff.view_names import names
from jobs.reading import check_views
from manifests import records


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
        ("inverse", ["flip"], "identity", "and identity, which is kept"),
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


def test_an_unknown_view_is_answered_with_all_of_them():
    """Each as a user would write it."""
    said = check_views("anagram", ["identity", "flp"])
    assert said is not None
    assert all(name in said for name in names())
