"""Tests of checking rows: all problems at once, requests from the good rows."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from manifests.check import DEFAULT_STRENGTH, check_rows, estimate_tokens
from manifests.columns import COLUMNS, LIST_COLUMNS, NUMBER_COLUMNS
from manifests.kinds import KINDS, OWN_COLUMNS, kinds_with
from manifests.records import Request, make_request
from manifests.rows import Problem, RawRow, shorten

ANAGRAM = {"kind": "anagram", "prompts": ["a duck", "a rabbit"]}


def check(*rows, base=Path(), check_views=lambda kind, views, keep: None, **options):
    """Check rows of fields; their lines are 1, 2, 3 ..."""
    raw = [RawRow(line, fields) for line, fields in enumerate(rows, start=1)]
    return check_rows(raw, base=base, check_views=check_views, **options)


def request_of(*rows, **options):
    requests, problems = check(*rows, **options)
    assert problems == []
    (request,) = requests
    return request


def problem_of(*rows, **options):
    """Return the one error of the rows, which give no request."""
    requests, problems = check(*rows, **options)
    assert requests == []
    (problem,) = problems
    assert problem.severity == "error"
    assert problem.remedy
    return problem


@pytest.fixture
def pictures(tmp_path):
    Image.new("RGB", (8, 6), "red").save(tmp_path / "image.png")
    mask = Image.new("L", (8, 6), 0)
    mask.paste(255, (0, 0, 4, 6))
    mask.save(tmp_path / "mask.png")
    return tmp_path


INPAINT = {"kind": "inpaint", "prompts": ["a cat"], "image": "image.png", "mask": "mask.png"}


def test_the_columns_are_the_fields_of_a_request():
    assert set(COLUMNS) == set(Request.__dataclass_fields__) - {"request_id"}
    assert {*NUMBER_COLUMNS, *LIST_COLUMNS} < set(COLUMNS)


def test_kind_and_prompts_alone_make_an_anagram():
    assert request_of(ANAGRAM) == make_request(
        kind="anagram",
        prompts=("a duck", "a rabbit"),
        views=("identity", "flip"),
        candidates=16,
        want=4,
        accept=None,
        max_candidates=16,
        guidance_scale=7.0,
        num_inference_steps=30,
        stage_2_guidance_scale=4.0,
        stage_2_num_inference_steps=30,
        noise_level=50,
        reduction="mean",
    )


@pytest.mark.parametrize(
    ("count", "views"),
    [
        (3, ("identity", "rotate_90", "rotate_180")),
        (4, ("identity", "rotate_90", "rotate_180", "rotate_270")),
    ],
)
def test_an_anagram_of_more_prompts_turns(count, views):
    assert request_of({"kind": "anagram", "prompts": ["x"] * count}).views == views


def test_a_hybrid_adds_a_low_and_a_high_pass():
    request = request_of({"kind": "hybrid", "prompts": ["a", "b"]})
    assert (request.views, request.reduction) == (("low_pass:2", "high_pass:2"), "sum")


def test_a_hybrid_of_another_reduction_is_an_error():
    assert problem_of({**ANAGRAM, "kind": "hybrid", "reduction": "mean"}).column == "reduction"


def test_an_inpainting_embeds_image_and_mask(pictures):
    request = request_of(INPAINT, base=pictures)
    assert request.views == ("identity",)
    assert (request.image.path, request.mask.path) == ("image.png", "mask.png")
    assert request.image.bytes.startswith(b"\x89PNG")


def test_few_candidates_lower_the_wanted_and_set_the_greatest():
    request = request_of({**ANAGRAM, "candidates": 3})
    assert (request.want, request.max_candidates) == (3, 3)


def test_given_values_reach_the_request():
    given_fields = {
        "views": "identity|rotate_90",
        "style": "an oil painting of",
        "negative_prompt": "text",
        "candidates": 8.0,
        "want": 9,
        "max_candidates": 32,
        "accept": 0,
        "guidance_scale": 10,
        "noise_level": 0,
        "reduction": "alternate",
        "seed": 2**63 - 1,
        "tags": ["x", "y"],
    }
    request = request_of({**ANAGRAM, **given_fields})
    expected = {
        **given_fields,
        "views": ("identity", "rotate_90"),
        "candidates": 8,
        "tags": ("x", "y"),
    }
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize("value", [7, 7.0])
def test_a_number_written_in_two_ways_gives_one_id(value):
    assert request_of({**ANAGRAM, "guidance_scale": value}) == request_of(ANAGRAM)


@pytest.mark.parametrize(
    ("fields", "column", "message"),
    [
        ({"kind": None}, "kind", "missing"),
        ({"kind": "anagrm"}, "kind", "unknown"),
        ({"kind": 3}, "kind", "must be text, not int"),
        ({"prompts": None}, "prompts", "missing"),
        ({"prompts": []}, "prompts", "missing"),
        ({"prompts": ["a"]}, "prompts", "takes 2 or more prompts"),
        ({"prompts": ["a", " "]}, "prompts", "entry 2 of prompts is empty"),
        ({"prompts": ["a", None]}, "prompts", "must be text, not NoneType"),
        ({"prompts": {"a": "b"}}, "prompts", "must be a list of texts"),
        ({"prompts": ["a", "\ud800"]}, "prompts", "half a character"),
        ({"prompts": ["a", "\x1b[31mb"]}, "prompts", "control character"),
        ({"style": "a\0b"}, "style", "control character"),
        ({"prompts": ["a"] * 5}, "views", "no default views"),
        ({"views": ["identity"]}, "views", "1 views for 2 prompts"),
        ({"style": True}, "style", "must be text, not bool"),
        ({"image": "a.png"}, "image", "anagram takes no image"),
        ({"mask": "a.png"}, "mask", "anagram takes no mask"),
        ({"candidates": True}, "candidates", "not bool"),
        ({"candidates": "16"}, "candidates", "not str"),
        ({"candidates": 16.5}, "candidates", "whole number"),
        ({"candidates": 0}, "candidates", "outside 1 to 100000"),
        ({"candidates": 100_001}, "candidates", "outside"),
        ({"want": 17}, "want", "more than the 16 candidates"),
        ({"max_candidates": 15}, "max_candidates", "less than candidates"),
        ({"accept": math.nan}, "accept", "finite"),
        ({"accept": 1.5}, "accept", "outside"),
        ({"guidance_scale": math.inf}, "guidance_scale", "finite"),
        ({"guidance_scale": 0.9}, "guidance_scale", "outside"),
        ({"num_inference_steps": 1001}, "num_inference_steps", "outside"),
        ({"noise_level": 1000}, "noise_level", "outside"),
        ({"seed": -1}, "seed", "outside"),
        ({"seed": 2**63}, "seed", "outside"),
        ({"seed": 10**5000}, "seed", "outside"),
        ({"seed": 1e17}, "seed", "whole number"),
        ({"reduction": "man"}, "reduction", "unknown"),
        ({"tags": ["a", 1]}, "tags", "must be text, not int"),
        ({"candidate": 3}, "candidate", "unknown"),
    ],
)
def test_one_fault_gives_one_error_with_its_column(fields, column, message):
    problem = problem_of({**ANAGRAM, **fields})
    assert (problem.line, problem.column) == (1, column)
    assert message in problem.message
    assert len(problem.value) <= 60


@pytest.mark.parametrize(
    ("fields", "suggestion"),
    [({"kind": "Hybird"}, "hybrid"), ({"reduction": "avg_mean"}, "mean"), ({"sed": 1}, "seed")],
)
def test_a_misspelt_name_gets_a_suggestion(fields, suggestion):
    assert problem_of({**ANAGRAM, **fields}).remedy == f"did you mean {suggestion!r}?"


def test_the_callers_word_on_views_is_passed_on():
    problem = problem_of(ANAGRAM, check_views=lambda kind, views, keep: f"{kind} {views[1]} no")
    assert (problem.column, problem.message) == ("views", "anagram flip no")


@pytest.mark.parametrize(
    ("fields", "column", "message"),
    [
        ({"image": "none.png"}, "image", "'none.png' does not exist"),
        ({"mask": "image.png"}, "mask", "is all black"),
        ({"mask": None}, "mask", "inpaint needs mask"),
        ({"image": None}, "image", "inpaint needs image"),
        ({"image": "../a.png"}, "image", "outside the folder"),
        ({"strength": 0.5}, "strength", "inpaint takes no strength"),
        ({"jump_length": 5}, "jump_length", "jump_n_sample 1"),
        ({"mask_blur": 17}, "mask_blur", "outside 0.0 to 16.0"),
    ],
)
def test_a_faulty_inpainting_is_named(pictures, fields, column, message):
    problem = problem_of({**INPAINT, **fields}, base=pictures)
    assert problem.column == column
    assert message in problem.message


KIND_ROWS = {
    "generate": {"prompts": ["a"]},
    "anagram": {"prompts": ["a", "b"]},
    "hybrid": {"prompts": ["a", "b"]},
    "inpaint": {"prompts": ["a"], "image": "image.png", "mask": "mask.png"},
    "edit": {"prompts": ["a"], "image": "image.png"},
    "inverse": {"prompts": ["a"], "image": "image.png", "keep": "grayscale", "views": ["color"]},
    "denoise": {"prompts": ["a"], "image": "image.png"},
}


def test_there_is_a_row_for_every_kind():
    assert list(KIND_ROWS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_from_what_it_needs_alone(pictures, kind):
    request = request_of({"kind": kind, **KIND_ROWS[kind]}, base=pictures)
    assert request.kind == kind
    assert (request.image is not None) == ("image" in KIND_ROWS[kind])
    assert request.stages == (1 if kind == "denoise" else 2)
    assert request.strength == (DEFAULT_STRENGTH if kind in ("edit", "denoise") else None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", sorted(OWN_COLUMNS))
def test_a_column_of_another_kind_is_refused_with_the_kinds_that_take_it(pictures, kind, column):
    values = {"image": "image.png", "mask": "mask.png", "keep": "color", "reduction": "sum"}
    row = {"kind": kind, **KIND_ROWS[kind], column: values.get(column, 1)}
    _, problems = check(row, base=pictures)
    said = [p for p in problems if p.message == f"{kind} takes no {column}"]
    assert bool(said) == (column not in KINDS[kind].own)
    for problem in said:
        assert problem.remedy.endswith(kinds_with(column))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_what_it_needs_is_refused(pictures, kind):
    for column in KINDS[kind].needs:
        problem = problem_of({"kind": kind, **KIND_ROWS[kind], column: None}, base=pictures)
        assert (problem.column, problem.message) == (column, f"{kind} needs {column}")


@pytest.mark.parametrize("kind", ["generate", "denoise"])
def test_a_kind_of_one_prompt_refuses_two(pictures, kind):
    problem = problem_of({"kind": kind, **KIND_ROWS[kind], "prompts": ["a", "b"]}, base=pictures)
    assert problem.message == f"{kind} takes 1 prompt, not 2"


EDIT = {"kind": "edit", **KIND_ROWS["edit"]}


@pytest.mark.parametrize(
    ("fields", "column", "message"),
    [
        ({"start": 3, "strength": 0.5}, "start", "say the same"),
        ({"start": 30}, "start", "the timesteps end at 29"),
        ({"start": 34, "timesteps": "stride:30"}, "start", "the timesteps end at 33"),
        ({"strength": 0}, "strength", "outside 0.001 to 1.0"),
        ({"timesteps": "smart28"}, "timesteps", "'smart28' are unknown"),
        ({"timesteps": "stride:0"}, "timesteps", "'stride:0' are unknown"),
        ({"stage_2_timesteps": "stride:1000"}, "stage_2_timesteps", "beyond 999"),
        ({"sampler": "euler"}, "sampler", "'euler' is unknown"),
        (
            {"guidance_start": 0.5, "guidance_stop": 0.5},
            "guidance_start",
            "is not before guidance_stop",
        ),
        ({"guidance_stop": 1.5}, "guidance_stop", "outside 0.0 to 1.0"),
        ({"stages": 3}, "stages", "outside 1 to 2"),
    ],
)
def test_a_faulty_edit_is_named(pictures, fields, column, message):
    problem = problem_of({**EDIT, **fields}, base=pictures)
    assert problem.column == column
    assert message in problem.message


def test_steps_that_a_list_of_timesteps_overrides_are_warned_of(pictures):
    row = {**EDIT, "timesteps": "fast27", "num_inference_steps": 20}
    (request,), (problem,) = check(row, base=pictures)
    assert request.count_timesteps(1) == 27
    assert (problem.column, problem.severity) == ("num_inference_steps", "warning")
    assert "timesteps decides" in problem.message


def test_an_inverse_without_views_takes_what_completes_the_kept_component(pictures):
    row = {"kind": "inverse", **KIND_ROWS["inverse"], "views": None}
    request = request_of(row, base=pictures, complement=lambda keep: f"rest of {keep}")
    assert request.views == ("rest of grayscale",)


def test_a_wrong_component_to_keep_is_named_in_its_own_column(pictures):
    row = {"kind": "inverse", **KIND_ROWS["inverse"], "keep": "x"}
    problem = problem_of(row, base=pictures, check_keep=lambda keep: f"{keep} is no part; write y")
    assert (problem.column, problem.value, problem.message) == ("keep", "x", "x is no part")
    assert problem.remedy == "write y"


def test_the_courses_index_counts_the_courses_timesteps(pictures):
    request = request_of({**EDIT, "start": 20, "timesteps": "stride:30"}, base=pictures)
    assert (request.start, request.strength, request.count_timesteps(1)) == (20, None, 34)


def test_every_fault_of_every_row_is_listed_and_the_good_row_kept():
    requests, problems = check(
        {**ANAGRAM, "seed": -1, "want": 0, "style": 3}, ANAGRAM, {"kind": "x", "colour": 1}
    )
    assert [request.prompts for request in requests] == [("a duck", "a rabbit")]
    assert {(problem.line, problem.column) for problem in problems} == {
        (1, "seed"),
        (1, "want"),
        (1, "style"),
        (3, "kind"),
        (3, "colour"),
        (3, "prompts"),
    }


def test_a_repeated_row_names_the_first():
    requests, (problem,) = check(ANAGRAM, {**ANAGRAM, "seed": 1}, {**ANAGRAM, "tags": ["x"]})
    assert len(requests) == 2
    assert (problem.line, problem.severity) == (3, "error")
    assert "repeats line 1" in problem.message


def test_a_long_prompt_is_a_warning_and_still_a_request():
    requests, (problem,) = check({**ANAGRAM, "prompts": ["word " * 60, "b"]})
    assert len(requests) == 1
    assert (problem.column, problem.severity) == ("prompts", "warning")


def test_the_style_counts_as_part_of_the_prompt():
    _, problems = check(
        {**ANAGRAM, "style": "s", "negative_prompt": "n"}, count_tokens=lambda text: 70 + len(text)
    )
    assert [problem.value for problem in problems] == ["s a duck", "s a rabbit"]


def test_tokens_are_words_and_punctuation_times_1_3():
    assert estimate_tokens("a duck, please!") == 7


def test_problems_of_the_source_come_out_and_make_no_request():
    problem = Problem(3, "", "", "bad", "mend it")
    rows = [RawRow(3, {}, (problem,)), RawRow(4, dict(ANAGRAM), (problem,))]
    assert check_rows(rows, base=Path(), check_views=lambda *_: None) == ([], [problem])


@pytest.mark.parametrize(
    "value",
    ["x" * 1000, "a\nb\x1b[31m", ["x" * 100] * 100, 10**5000],
    ids=["long", "control", "list", "int"],
)
def test_a_shown_value_is_short_and_on_one_line(value):
    shown = shorten(value)
    assert len(shown) <= 60
    assert shown.isprintable()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
likely = st.fixed_dictionaries(
    {"kind": st.sampled_from(["anagram", "hybrid", "inpaint"])},
    optional={
        column: anything | st.lists(st.text(max_size=5), max_size=3) | st.integers(0, 20)
        for column in COLUMNS
        if column != "kind"
    },
)


@settings(deadline=None)
@given(st.lists(likely | st.dictionaries(st.text(), anything, max_size=5), max_size=4))
def test_no_row_raises_and_each_gives_a_request_or_an_error(rows):
    requests, problems = check(*rows, base=Path("/nonexistent"))
    failed = {problem.line for problem in problems if problem.severity == "error"}
    assert len(requests) + len(failed) == len(rows)


@settings(deadline=None)
@given(st.dictionaries(st.integers() | st.none() | st.tuples(st.text()), anything, max_size=2))
def test_column_names_that_are_no_text_do_not_raise(fields):
    assert check({**ANAGRAM, **fields})[1] or not fields


@pytest.mark.parametrize(
    "prompt", ["word " * 60, "a" * 3000, "山" * 200], ids=["words", "a", "han"]
)
def test_a_long_prompt_is_a_long_prompt_in_any_script(prompt):
    """Also without spaces; one of sixty characters is none."""
    assert estimate_tokens(prompt) > 77
    assert estimate_tokens("an oil painting of people around a campfire at night in snow") < 77
