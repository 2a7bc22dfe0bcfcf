"""Which pictures of a ranking are no twins of better ones, by their embeddings."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.layout import RunFolder
from manifests.schemas import RESULTS
from manifests.tables import open_table


def first_without_twins(
    embeddings: Iterable[NDArray[np.float32]], n: int, distinct: float
) -> list[int]:
    """Return the positions of the first n that are not too like one taken before.

    Greedy: the first is taken, and each further one unless its cosine with one that is taken is
    above `distinct`. It is maximal marginal relevance (Carbonell and Goldstein, 1998,
    doi:10.1145/290941.291025) with a limit on the likeness in place of a weight.

    Args:
        embeddings: Best first; unit vectors of one length, or empty where there is none, which
            is nobody's twin.
        n: How many to take at most.
        distinct: Largest cosine of two that are taken; 1 takes all.
    """
    taken: list[int] = []
    known: list[NDArray[np.float64]] = []
    for position, embedding in enumerate(embeddings):
        if len(taken) == n:
            break
        vector = embedding.astype(np.float64)
        if vector.size:
            if known and min(1.0, np.max(np.stack(known) @ vector)) > distinct:
                continue
            known.append(vector)
        taken.append(position)
    return taken


def without_twins(
    folder: RunFolder, rows: Iterable[dict[str, Any]], n: int, distinct: float
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the first n rows of every request that are no twins, each with its new rank.

    The embeddings of one shard are held at a time, and no picture is read.

    Args:
        folder: A run.
        rows: With `shard`, `request_id`, `part` and `row`, those of a shard and within it those of
            a request together, best first.
        n: Rows per request.
        distinct: See `first_without_twins`.
    """
    for _, of_shard in groupby(rows, itemgetter("shard")):
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for _, of_request in groupby(of_shard, itemgetter("request_id")):
            ranked = list(of_request)
            for part in {row["part"] for row in ranked} - parts.keys():
                parts[part] = read_embeddings(folder, part)
            embeddings = (parts[row["part"]][row["row"]] for row in ranked)
            taken = first_without_twins(embeddings, n, distinct)
            yield from ((rank, ranked[place]) for rank, place in enumerate(taken, 1))


def read_embeddings(folder: RunFolder, part: str) -> list[NDArray[np.float32]]:
    """Return the embeddings of a part in the order of its rows, empty where there is none."""
    found: list[NDArray[np.float32]] = []
    with open_table(folder.path / part, RESULTS) as file:
        for group in range(file.num_row_groups):
            for chunk in file.read_row_group(group, ["embedding"])["embedding"].chunks:
                bounds, values = chunk.offsets.to_numpy(), chunk.values.to_numpy()
                found += np.split(values[: bounds[-1]], bounds[1:-1])
    return found
