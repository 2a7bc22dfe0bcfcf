"""The steps of a run, as a cluster calls them: with strings and numbers only."""

from collections.abc import Callable
from pathlib import Path


def encode(run: str) -> int:
    """Encode the run's unique prompts once; return how many there are."""
    from jobs.embeddings import encode_prompts

    return encode_prompts(run)


def work_shard(run: str, shard: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Work one shard; return whether it is done."""
    from jobs.worker import work

    return work(run, shard, stopping)


def index(run: str) -> int:
    """Build the scoring index over the finished shards; return its rows."""
    from manifests.index import build_index
    from manifests.layout import RunFolder

    return build_index(RunFolder(Path(run)))


def score(run: str, number: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Score what is drawn with another judge; return whether it is done."""
    from jobs.scoring import work_scoring

    return work_scoring(run, number, stopping)


def upscale(run: str, order: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Work one order for stage III; return whether it is done."""
    from jobs.upscaling import work_order

    return work_order(run, order, stopping)
