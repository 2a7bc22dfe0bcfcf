"""What a judge says does not depend on the company, and bad judges are named."""

import pytest
import torch
from PIL import Image

from fundiff.judges import BATCH, load_judge
from fundiff.models import ModelError

CPU = torch.device("cpu")


def pictures(count: int) -> list[Image.Image]:
    """Pictures of different colours and sizes."""
    return [Image.new("RGB", (8 + n, 8 + n), (n * 9 % 256, 255 - n, n)) for n in range(count)]


def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_company(tiny_if):
    """Alone, among others, and beyond one batch: the same bits."""
    judge = load_judge(str(tiny_if / "judge"), CPU)
    images = pictures(BATCH + 3)
    together = judge.image_embeds(images)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(BATCH + 3))
    for n in (0, 5, BATCH, BATCH + 2):
        assert torch.equal(judge.image_embeds([images[n]])[0], together[n])
    texts = judge.text_embeds(["a skull", "a rocket ship"])
    assert torch.equal(judge.text_embeds(["a rocket ship"])[0], texts[1])
    assert not torch.equal(texts[0], texts[1])


def test_a_judges_temperature_is_that_of_its_logit_scale(tiny_if):
    """CLIP stores the logarithm of its inverse."""
    judge = load_judge(str(tiny_if / "judge"), CPU)
    assert judge.temperature == pytest.approx(1 / float(judge.model.logit_scale.exp()))


def test_a_model_that_is_no_judge_is_refused_with_an_example(tiny_if):
    """A T5 encoder cannot look at pictures."""
    with pytest.raises(ModelError, match="choose a CLIP-like model such as openai/clip"):
        load_judge(str(tiny_if / "stage-1" / "text_encoder"), CPU)
