"""Tests of reading CSV, JSONL and YAML."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.check import check_rows
from manifests.rows import RawRow
from manifests.sources import MAX_YAML_BYTES, expand_styles, read_source


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(path)


def only_problem(rows):
    """Return the one problem that the rows carry."""
    (problem,) = [problem for row in rows for problem in row.problems]
    assert problem.severity == "error"
    assert problem.message
    assert problem.remedy
    return problem


def test_a_csv_gives_lists_numbers_and_texts(tmp_path):
    text = "kind,prompts,views,candidates,accept,style,tags\nanagram,a|b c, flip | x ,8,0.3,8,\n"
    assert read(tmp_path, "a.csv", text) == [
        RawRow(
            2,
            {
                "kind": "anagram",
                "prompts": ["a", "b c"],
                "views": ["flip", "x"],
                "candidates": 8,
                "accept": 0.3,
                "style": "8",
            },
        )
    ]


@pytest.mark.parametrize("cell", ["many", "1_000", "\uff11\uff12", "9" * 5000])
def test_what_is_no_number_stays_text_for_the_check(tmp_path, cell):
    (row,) = read(tmp_path, "a.csv", f"kind,prompts,seed\nanagram,a|b,{cell}\n")
    assert row.fields["seed"] == cell


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_byte_order_mark_line_ends_and_blank_lines_change_nothing(tmp_path, newline):
    text = newline.join(["\ufeffkind,prompts", "anagram,a|b", "", ",", "hybrid,c|d", ""])
    assert read(tmp_path, "a.csv", text) == [
        RawRow(2, {"kind": "anagram", "prompts": ["a", "b"]}),
        RawRow(5, {"kind": "hybrid", "prompts": ["c", "d"]}),
    ]


def test_a_row_after_a_cell_of_several_lines_has_its_own_line(tmp_path):
    rows = read(tmp_path, "a.csv", 'kind,prompts\nanagram,"a|\nb"\nanagram,c|d\n')
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("kind,prompts\n", 1, "", "no row"),
        ("kind,prompt,prompts\nanagram,a,b|c\n", 1, "prompt", "unknown"),
        ("kind,prompts,kind\nanagram,a|b,hybrid\n", 1, "kind", "stands twice"),
        ("kind,prompts,\nanagram,a|b,\n", 1, "", "has no name"),
        ("kind,prompts\nanagram,a|b,c\n", 2, "", "3 cells under 2 columns"),
        ("kind,prompts\nanagram\n", 2, "", "1 cells under 2 columns"),
        ("kind,style\nanagram,a\n", 1, "prompts", "missing"),
        ('kind,prompts\nanagram,"a|b\n', 2, "", "breaks off"),
        (",,\n", 1, "", "no rows"),
    ],
)
def test_a_faulty_csv_is_named_with_line_and_column(tmp_path, text, line, column, message):
    problem = only_problem(read(tmp_path, "a.csv", text))
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


def test_a_ragged_row_does_not_hide_the_rows_after_it(tmp_path):
    rows = read(tmp_path, "a.csv", "kind,prompts\nanagram\nhybrid,a|b\n")
    assert rows[1] == RawRow(3, {"kind": "hybrid", "prompts": ["a", "b"]})


def test_a_misspelt_column_gets_a_suggestion(tmp_path):
    problem = only_problem(read(tmp_path, "a.csv", "kind,prompts,candidate\nanagram,a|b,3\n"))
    assert problem.remedy == "did you mean 'candidates'?"


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_recognised(tmp_path, separator, name):
    problems = [
        problem
        for row in read(tmp_path, "a.csv", f"kind{separator}prompts\nanagram{separator}a|b\n")
        for problem in row.problems
    ]
    assert problems[0].message == f"{name} separate the columns"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.yaml"])
def test_an_empty_file_is_named(tmp_path, name):
    assert only_problem(read(tmp_path, name, " \n")).message == "the file is empty"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.yaml"])
def test_a_byte_that_is_not_utf_8_is_named_with_its_line(tmp_path, name):
    problem = only_problem(read(tmp_path, name, b"kind,prompts\nanagram,caf\xe9|b\n"))
    assert (problem.line, problem.value) == (2, "byte 0xe9")


def test_an_unknown_suffix_and_a_missing_file_are_named(tmp_path):
    assert "suffix '.txt' is unknown" in only_problem(read(tmp_path, "a.txt", "x")).message
    assert "cannot be read" in only_problem(read_source(tmp_path / "b.csv")).message
    (tmp_path / "c.csv").mkdir()
    assert "cannot be read" in only_problem(read_source(tmp_path / "c.csv")).message


def test_jsonl_keeps_line_numbers_over_blank_lines_and_line_separators(tmp_path):
    rows = read(tmp_path, "a.jsonl", '{"style": "a\u2028b"}\r\n\r\n{"style": "c"}')
    assert rows == [RawRow(1, {"style": "a\u2028b"}), RawRow(3, {"style": "c"})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"kind": ', "not valid JSON"),
        ("[1]", "not an object but list"),
        ('{"kind": "a", "kind": "b"}', "'kind' stands twice"),
        ('{"seed": ' + "9" * 5000 + "}", "not JSON that can be read"),
        ("[" * 100_000, "not JSON that can be read"),
    ],
)
def test_a_faulty_json_line_is_named_and_the_next_is_read(tmp_path, line, message):
    rows = read(tmp_path, "a.jsonl", f'{line}\n{{"kind": "hybrid"}}\n')
    problem = only_problem(rows)
    assert problem.line == 1
    assert message in problem.message
    assert len(problem.value) <= 60
    assert rows[1] == RawRow(2, {"kind": "hybrid"})


def test_a_yaml_list_gives_rows_with_their_lines(tmp_path):
    text = "# first\n- kind: anagram\n  prompts: [a, b]\n- {kind: hybrid, seed: 3}\n"
    assert read(tmp_path, "a.yaml", text) == [
        RawRow(2, {"kind": "anagram", "prompts": ["a", "b"]}),
        RawRow(4, {"kind": "hybrid", "seed": 3}),
    ]


def test_a_yaml_document_expands_every_pair_with_every_style(tmp_path):
    text = """
defaults: {kind: anagram, seed: 1}
rows:
  - {prompts: [a, b], seed: 2}
pairs:
  - [c, d]
  - [e, f]
styles: [oil, ink]
"""
    rows = read(tmp_path, "a.yml", text)
    assert rows[0] == RawRow(4, {"kind": "anagram", "prompts": ["a", "b"], "seed": 2})
    assert [(row.line, *row.fields["prompts"], row.fields["style"]) for row in rows[1:]] == [
        (6, "c", "d", "oil"),
        (6, "c", "d", "ink"),
        (7, "e", "f", "oil"),
        (7, "e", "f", "ink"),
    ]
    assert all(row.fields["seed"] == 1 for row in rows[1:])


def test_pairs_without_styles_are_rows(tmp_path):
    rows = read(tmp_path, "a.yaml", "defaults: {kind: hybrid}\npairs:\n- [a, b]\n")
    assert rows == [RawRow(3, {"kind": "hybrid", "prompts": ["a", "b"]})]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("just text", 1, "neither a list"),
        ("kind: anagram\nprompts: [a, b]", 1, "neither a list"),
        ("rows: []\nstyels: [a]", 2, "'styels' is unknown"),
        ("pairs:\n  a: b", 1, "pairs must be a list, not dict"),
        ("rows: []\nstyles: [a]", 2, "styles without pairs"),
        ("- kind: a\n  kind: b", 2, "'kind' stands twice"),
        ("- kind: a\n- just text", 2, "not a mapping but str"),
        ("- kind: [a", 1, "not valid YAML"),
        ("- kind: !!python/object/apply:os.system [ls]", 1, "not valid YAML"),
        ("- kind: 2024-13-45", 1, "not YAML that can be read"),
        ("- kind: !!int ''", 1, "not YAML that can be read"),
        ("- kind: !!bool maybe", 1, "not YAML that can be read"),
        ("- kind: !!timestamp soon", 1, "not YAML that can be read"),
        ("- a\x07", 1, "not YAML that can be read"),
        ("- &a {kind: b}\n- <<: *a", 2, "merge keys"),
        ("[" * 5000, 1, "not YAML that can be read"),
        ("# nothing", 1, "no rows"),
        ("- ? [a]\n  : b", 1, "not valid YAML"),
        ("- a: b\n---\n- c: d", 2, "not valid YAML"),
    ],
)
def test_a_faulty_yaml_is_named_with_its_line(tmp_path, text, line, message):
    problem = only_problem(read(tmp_path, "a.yaml", text))
    assert message in problem.message
    assert problem.line == line


def test_a_yaml_of_nested_aliases_is_answered_quickly_and_briefly(tmp_path):
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    rows = read(tmp_path, "a.yaml", "\n".join(lines))
    assert len(rows) == 30
    assert all(len(problem.value) <= 60 for row in rows for problem in row.problems)


def test_a_large_yaml_is_refused(tmp_path):
    problem = only_problem(read(tmp_path, "a.yaml", b"#" * (MAX_YAML_BYTES + 1)))
    assert "larger than 4 MB" in problem.message


def test_pairs_times_styles_are_bounded(tmp_path):
    text = f"pairs: [{'[a, b], ' * 1001}]\nstyles: [{'a, ' * 1000}]\n"
    assert "too many rows" in only_problem(read(tmp_path, "a.yaml", text)).message


def test_styles_multiply_rows_but_not_problems(tmp_path):
    rows = read(tmp_path, "a.csv", "kind,prompts,style\nanagram,a|b,old\nanagram\n")
    expanded = expand_styles(rows, ["oil", "ink"])
    assert [row.fields.get("style") for row in expanded] == ["oil", "ink", None]
    only_problem(expanded)


def test_no_styles_leave_the_rows_as_they_are():
    rows = [RawRow(1, {"style": "old"})]
    assert expand_styles(rows, []) == rows


@settings(deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text("kindprompts|,:-[]{}\"'&*!<#\n 0a.", max_size=80)),
    st.sampled_from([".csv", ".jsonl", ".yaml"]),
)
def test_no_file_raises(content, suffix):
    """Any bytes give rows or problems, and the check of them does not raise either."""
    with tempfile.TemporaryDirectory() as folder:
        rows = read(Path(folder), f"a{suffix}", content)
        requests, problems = check_rows(rows, base=Path(folder), check_views=lambda *_: None)
    assert rows
    assert requests or problems
