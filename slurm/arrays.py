"""Splits a plan into SLURM arrays that the cluster accepts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArraySlice:
    """A SLURM array 0..count-1 that works the entries offset..offset+count-1 of a plan."""

    offset: int
    count: int


def split(count: int, max_array_size: int) -> list[ArraySlice]:
    """Return the arrays that together work `count` entries, each as large as allowed.

    SLURM's MaxArraySize caps the index: the largest is MaxArraySize - 1. Hence every array starts
    at 0, and an offset says where it stands in the plan.

    Raises:
        ValueError: If count is negative, or the cluster allows no arrays.
    """
    if count < 0:
        raise ValueError(f"got {count} entries to split into arrays; it must be 0 or more")
    if max_array_size < 2:
        raise ValueError(f"MaxArraySize is {max_array_size}: this cluster allows no job arrays")
    starts = range(0, count, max_array_size)
    return [ArraySlice(offset, min(max_array_size, count - offset)) for offset in starts]
