"""The arithmetic on a judge's similarities: row i is view i, column j is prompt j."""

from torch import Tensor


def alignment(similarities: Tensor) -> float:
    """Return min_i S_ii: how well the worst view fits its own prompt.

    Geng et al., 2024, arXiv:2311.17919, section 4.2.

    Args:
        similarities: (views, prompts), cosines.
    """
    return float(similarities.diagonal().min())


def concealment(similarities: Tensor, temperature: float) -> float:
    """Return how well each view hides the other prompts, 1 / N (cannot tell) to 1 (sure).

    tr softmax(S / temperature) / N, averaged over the two directions of the softmax, Geng et al.,
    2024, arXiv:2311.17919, section 4.2.

    Args:
        similarities: (views, prompts), as many views as prompts.
        temperature: The judge's own, 1 / exp(logit_scale).
    """
    logits = similarities / temperature
    by_prompt = logits.softmax(dim=1).diagonal().mean()
    by_view = logits.softmax(dim=0).diagonal().mean()
    return float((by_prompt + by_view) / 2)
