"""Controls are drawn like the illusions, but cannot be one."""

import pytest

from fundiff.frames import IDENTITY
from fundiff.view_names import view
from jobs.calibration.controls import (
    SORTS,
    Control,
    choose,
    control_requests,
    controls_in,
    other_prompts,
)
from jobs.reading import check_views
from manifests.records import content_id
from tests.jobs.conftest import every_kind
from tests.manifests.rows import inpainting, request

HYBRID = {"kind": "hybrid", "views": ("low_pass:2", "high_pass:2"), "reduction": "sum"}


def of_sort(original, sort, candidates=8):
    drawn = control_requests([original], candidates)
    ids = {c.request_id for c in controls_in(drawn) if c.sort == sort}
    return [each for each in drawn if each.request_id in ids]


def test_an_anagram_is_controlled_by_each_prompt_alone_and_by_other_turns():
    """The plain pictures share the candidates, and no control turns as the original does."""
    original = request(style="a lithograph of", guidance_scale=9.0, seed=3)
    plain = of_sort(original, "one_prompt")
    assert [(r.kind, r.prompts, r.views) for r in plain] == [
        ("generate", (prompt,), ("identity",)) for prompt in original.prompts
    ]
    assert [r.candidates for r in plain] == [4, 4]
    (shuffled,) = of_sort(original, "shuffled_views")
    assert (shuffled.prompts, shuffled.views) == (original.prompts, ("identity", "rotate_90"))
    assert shuffled.candidates == 8
    assert not of_sort(original, "wrong_sigma")


@pytest.mark.parametrize(
    "views",
    [
        ("identity", "flip"),
        ("rotate_90", "negate"),
        ("identity", "rotate_90", "rotate_180", "rotate_270"),
        ("identity", "jigsaw:seed=7"),
        ("identity", "flip+negate", "patch_permute:4:seed=2"),
        ("low_pass:2", "high_pass:2", "flip+low_pass:2", "flip+high_pass:2"),
    ],
)
def test_other_turns_are_other_turns_with_the_same_components(views):
    """No frame is one of the original's, but for the picture as it stands; parts stay parts."""
    original = request(prompts=tuple("abcd"[: len(views)]), views=views)
    (shuffled,) = of_sort(original, "shuffled_views")
    assert check_views("anagram", shuffled.views) is None
    frames = {view(name).frame.key for name in views}
    same = {}
    for name, other in zip(views, shuffled.views, strict=True):
        if view(name).frame.key != IDENTITY.key:
            assert view(other).frame.key not in frames
        else:
            assert other == name
        assert view(other).component == view(name).component
        assert same.setdefault(view(name).frame.key, view(other).frame.key) == (
            view(other).frame.key
        )
    assert len(set(same.values())) == len(same)


@pytest.mark.parametrize(
    ("views", "controls"),
    [
        (
            ("low_pass:2", "high_pass:2"),
            [("low_pass:0.5", "high_pass:0.5"), ("low_pass:8", "high_pass:8")],
        ),
        (
            ("low_pass:8", "high_pass:8"),
            [("low_pass:2", "high_pass:2"), ("low_pass:16", "high_pass:16")],
        ),
        (
            ("low_pass:2", "band:1:2", "high_pass:1"),
            [
                ("low_pass:0.5", "band:0.4:0.5", "high_pass:0.4"),
                ("low_pass:8", "band:4:8", "high_pass:4"),
            ],
        ),
        (("low_pass:12", "high_pass:12"), [("low_pass:3", "high_pass:3")]),
        (("grayscale", "color"), []),
    ],
)
def test_a_hybrid_is_controlled_by_other_distances_within_what_a_view_takes(views, controls):
    """A quarter and four times as far, at least half or twice, or not at all."""
    original = request(**(HYBRID | {"prompts": tuple("abc"[: len(views)]), "views": views}))
    found = of_sort(original, "wrong_sigma")
    assert [r.views for r in found] == controls
    assert all(r.candidates * len(found) == 8 for r in found)


def test_a_prompt_that_is_steered_away_from_is_no_control():
    """A picture of it is not what anybody would take for the illusion."""
    original = request(**(HYBRID | {"prompts": ("a", "b"), "views": ("scale:1.5", "scale:-0.5")}))
    assert [r.prompts for r in of_sort(original, "one_prompt")] == [("a",)]


def test_every_control_comes_to_the_end_and_is_drawn_as_its_original():
    """No judge has a say in which pictures it is tried on; only what makes it one differs."""
    bars = {"accept": 0.3, "finalists": 2, "prune_at": 0.4, "prune_keep": 0.5, "max_split": 0.1}
    drawn = {"style": "a lithograph of", "negative_prompt": "blur", "guidance_scale": 9.0,
             "num_inference_steps": 7, "noise_level": 9, "sampler": "ddim", "seed": 5,
             "stages": 1, "timesteps": "fast27"}  # fmt: skip
    originals = [
        request(**bars, **drawn, candidates=64, want=2, max_candidates=99),
        request(**HYBRID, **bars, **drawn, candidates=64, want=2, max_candidates=99),
    ]
    controls = control_requests(originals, 6)
    assert len(controls) == 2 + 1 + 2  # the plain pictures are the same for both
    for control in controls:
        assert control.candidates == control.want == control.max_candidates
        assert [getattr(control, name) for name in bars] == [None] * len(bars)
        assert {name: getattr(control, name) for name in drawn} == drawn
        assert control.request_id == content_id(control)
        assert control.request_id not in {original.request_id for original in originals}


def test_what_a_control_is_for_stands_in_its_tags():
    """Two requests that share a prompt share its plain picture, which is drawn once."""
    a, b = request(prompts=("a skull", "a cat")), request(prompts=("a skull", "a dog"))
    controls = control_requests([a, b], 4)
    assert len({each.request_id for each in controls}) == len(controls) == 5
    found = controls_in(controls)
    shared = [each for each in controls if each.prompts == ("a skull",)]
    assert len(shared) == 1
    assert [each for each in found if each.request_id == shared[0].request_id] == [
        Control(shared[0].request_id, a.request_id, "one_prompt"),
        Control(shared[0].request_id, b.request_id, "one_prompt"),
    ]
    assert {each.sort for each in found} < SORTS.keys()


def test_so_many_of_each_kind_are_chosen_whatever_their_order():
    """In order of their ids, those that people spoke about first; panels are left out."""
    requests = [request(seed=n) for n in range(9)] + [request(**HYBRID, seed=n) for n in range(2)]
    requests += every_kind()
    chosen = choose(requests, 3)
    assert choose(requests[::-1], 3) == chosen
    count = [sum(r.kind == kind for r in chosen) for kind in ("anagram", "hybrid", "denoise")]
    assert count == [3, 3, 0]
    ids = sorted(r.request_id for r in requests if r.kind == "anagram")
    assert [r.request_id for r in chosen if r.kind == "anagram"] == ids[:3]
    last = choose(requests, 3, first={ids[-1]})
    assert [r.request_id for r in last if r.kind == "anagram"] == [ids[-1], *ids[:2]]


def test_another_request_is_a_control_only_if_it_shares_no_prompt():
    """A six that is a nine upside down is a nine that is a six."""
    six = request(prompts=("a six", "a nine"))
    requests = [
        six,
        request(prompts=("a nine", "a six")),
        inpainting(),
        request(prompts=("a cat", "a dog")),
        request(prompts=("a hat", "a cup")),
    ]
    assert other_prompts(six, requests) == requests[3]
    assert other_prompts(requests[4], requests) == six
    assert other_prompts(requests[2], requests) is None
