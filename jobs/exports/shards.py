"""Cuts a stream into runs of bounded weight."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

T = TypeVar("T")


def runs(items: Iterable[T], weigh: Callable[[T], int], bound: int) -> Iterator[Iterator[T]]:
    """Yield runs of items that weigh at most `bound` together, but for single ones above it.

    Each run is to be used up before the next is asked for, so no more than an item is held.
    """

    def numbered() -> Iterator[tuple[int, T]]:
        number = weight = 0
        for item in items:
            more = weigh(item)
            if weight and weight + more > bound:
                number, weight = number + 1, 0
            weight += more
            yield number, item

    for _, run in groupby(numbered(), key=itemgetter(0)):
        yield (item for _, item in run)
