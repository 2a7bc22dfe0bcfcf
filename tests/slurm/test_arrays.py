"""Splitting a plan into arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.arrays import ArraySlice, split

COUNTS = st.integers(0, 100_000)
SIZES = st.integers(2, 5_000)


@given(count=COUNTS, max_array_size=SIZES)
def test_every_entry_of_the_plan_is_in_exactly_one_array(count, max_array_size):
    """The slices follow each other without a gap, from the first entry to the last."""
    end = 0
    for part in split(count, max_array_size):
        assert part.offset == end
        end += part.count
    assert end == count


@given(count=COUNTS, max_array_size=SIZES)
def test_no_index_reaches_max_array_size(count, max_array_size):
    """MaxArraySize caps the index, which runs from 0 to count - 1."""
    assert all(1 <= part.count <= max_array_size for part in split(count, max_array_size))


@given(count=COUNTS, max_array_size=SIZES)
def test_there_are_no_more_arrays_than_needed(count, max_array_size):
    """Every array but the last is full."""
    assert all(part.count == max_array_size for part in split(count, max_array_size)[:-1])


def test_eight_entries_at_five_are_two_arrays():
    """The second array starts at 0 again, with an offset of 5."""
    assert split(8, 5) == [ArraySlice(0, 5), ArraySlice(5, 3)]


@pytest.mark.parametrize(("count", "size", "words"), [(-1, 5, "-1 entries"), (3, 1, "no job arr")])
def test_what_cannot_be_split_is_refused(count, size, words):
    """A negative count, or a cluster whose MaxArraySize switches arrays off."""
    with pytest.raises(ValueError, match=words):
        split(count, size)
