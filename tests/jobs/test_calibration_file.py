"""A calibration's file comes back as it was written, or is refused in one line."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.calibration.calibration import (
    Agreement,
    Calibration,
    read_calibration,
    write_calibration,
)
from jobs.calibration.verdicts import KindVerdict
from jobs.statistics import Estimate

ESTIMATE = Estimate(0.9, 0.8, 1.0, 12)
FULL = KindVerdict(
    True, "yes", "picked", {"one_prompt": ESTIMATE, "together": ESTIMATE}, ESTIMATE, ESTIMATE,
    -0.25, 0.27, 0.05, 0.4, 3, 96, 12,
)  # fmt: skip
EMPTY = KindVerdict(None, "cannot tell")
CALIBRATION = Calibration(
    "night1",
    "2025-01-02T03:04:05+00:00",
    {"a/judge": {"anagram": FULL, "hybrid": EMPTY}, "b/judge": {"hybrid": EMPTY}},
    (Agreement(("a/judge", "b/judge"), ESTIMATE),),
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "calibration.json"
    write_calibration(CALIBRATION, path)
    return path


def test_a_calibration_comes_back_as_it_was_written(path):
    """To the last bit of every number."""
    assert read_calibration(path) == CALIBRATION


def test_the_bars_are_those_of_one_judge(path):
    """By kind, where there is one; of a judge that was not tried there are none."""
    found = read_calibration(path)
    assert found.bars("a/judge") == {"anagram": 0.27}
    assert found.bars("b/judge") == {}
    with pytest.raises(ValueError, match="'c/judge' is not in the calibration of night1, which"):
        found.bars("c/judge")


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("schema_version",), 2, "schema_version is 2, this fundiff reads 1"),
        (("run",), 7, "run is no text"),
        (("judges",), [], "judges is no object"),
        (("agreement",), {}, "agreement is no list"),
        (("agreement", 0, "judges", 0), "c/judge", "judge 'c/judge' is unknown"),
        (("agreement", 0, "judges"), ["a/judge"], "agreement is not of two judges"),
        (("judges", "a/judge", "opera"), {}, "kind 'opera' is unknown"),
        (("judges", "a/judge", "anagram", "bar"), 1, "'bar' is missing or unknown"),
        (("judges", "a/judge", "anagram", "accept"), math.nan, "accept is nan, no number"),
        (("judges", "a/judge", "anagram", "accept"), True, "accept is True, no number"),
        pytest.param(
            ("judges", "a/judge", "anagram", "accept"), 10**400, "accept is 1000", id="huge"
        ),
        (("judges", "a/judge", "anagram", "may_select"), 1, "may_select is neither true"),
        (("judges", "a/judge", "anagram", "controls"), -1, "controls has the count -1"),
        (("judges", "a/judge", "anagram", "reached"), 0.5, "reached has the count 0.5"),
        (("judges", "a/judge", "anagram", "requests"), None, "requests has the count None"),
        (("judges", "a/judge", "anagram", "positives"), "all", "positives 'all' is unknown"),
        (("judges", "a/judge", "anagram", "auc", "all"), None, "sort of control 'all'"),
        (("judges", "a/judge", "anagram", "auc", "together", "low"), 2, "auc is 2, no number"),
        (("judges", "a/judge", "anagram", "spearman", "low"), 1, None),
        (("judges", "a/judge", "anagram", "auc_of_picks", "low"), 1, None),
        (("judges", "a/judge", "anagram", "auc", "together", "high"), 0.1, "interval 0.8 to 0.1"),
    ],
)
def test_a_value_that_cannot_be_is_refused(path, where, value, said):
    """With the file, what is wrong and what to do; a number that can be is not."""
    data = json.loads(path.read_text())
    inner = data
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    path.write_text(json.dumps(data))
    if said is None:
        assert read_calibration(path) != CALIBRATION
        return
    with pytest.raises(ValueError, match="is no calibration") as refused:
        read_calibration(path)
    assert said in str(refused.value)
    assert "make one with `fundiff calibrate RUN`" in str(refused.value)


def places(data, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from places(data[key], (*path, key))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_whatever_stands_in_the_file_it_is_read_or_refused_in_one_line(path, data):
    """Any place of a good one replaced by anything, any JSON, any bytes."""
    write_calibration(CALIBRATION, path)
    good = json.loads(path.read_text())
    where = data.draw(st.sampled_from(list(places(good))))
    value = data.draw(JSON)
    if where:
        inner = good
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = value
    else:
        good = value
    text = json.dumps(good).encode()
    path.write_bytes(data.draw(st.sampled_from([text, text[: len(text) // 2], text[::-1]])))
    refused_or_read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_bytes_that_are_no_json_are_refused_in_one_line(path, content):
    """So is what is nested so deeply that a parser gives up."""
    for each in (content, b"[" * 100_000 + content, b'{"a":' * 100_000):
        path.write_bytes(each)
        assert refused_or_read(path) is None


def refused_or_read(path):
    """Return the calibration, or None if it was refused in one line."""
    try:
        found = read_calibration(path)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
        assert str(path) in str(error)  # noqa: PT017
        return None
    write_calibration(found, path)
    assert read_calibration(path) == found
    return found
