"""Hybrid images: one picture, read with another prompt from afar than from near.

Geng, Park, Owens, 2024: Factorized Diffusion, arXiv:2404.11615, section 3.2. Colour, motion and
triple hybrids are the same with other components.
"""

from collections.abc import Sequence

from fundiff.anagram import anagram
from fundiff.canvas import Canvas, Estimator
from fundiff.guidance import Prompts
from fundiff.views import View, by_frame


def hybrid(canvas: Canvas, components: Sequence[View], prompts: Prompts) -> Estimator:
    """Return the estimate whose every component is decided by its own prompt: eps = sum f_i eps_i.

    All prompts see the same x_t, so they share one unconditional lane.

    Args:
        canvas: Where to draw.
        components: Views that add up to the whole, such as `low_pass:2` and `high_pass:2`.
        prompts: One prompt per component.

    Raises:
        ValueError: If components and prompts differ in number, or the components are not those
            of one whole picture.
    """
    if len(by_frame(components)) > 1 or len(components) < 2:
        written = "|".join(view.name for view in components)
        raise ValueError(
            f"views {written} are not the components of one picture; "
            "a hybrid takes those that add up to it, such as low_pass:2|high_pass:2"
        )
    return anagram(canvas, components, prompts)
