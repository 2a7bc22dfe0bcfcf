"""What a judge is asked of every kind of picture, and how its answers are put together."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from PIL import Image

from fundiff.pictures import to_image
from jobs.judging import judge_pictures
from manifests.records import Picture
from tests.jobs.conftest import every_kind
from tests.manifests.rows import inpainting, request


@dataclass
class Exact:
    """A judge whose answers can be worked out: an embedding is a picture's mean colour and 1.

    It keeps what it was shown.
    """

    temperature: float = 0.5
    shown: list = field(default_factory=list)

    def image_embeds(self, pictures):
        self.shown += pictures
        means = torch.stack([torch.cat([x.mean((1, 2)), torch.ones(1)]) for x in pictures])
        return torch.nn.functional.normalize(means, dim=-1)


RED, BLUE = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0.0, 0, 1, 0])
TEXTS = torch.stack([RED, BLUE])


def flat(*colour: float, size: int = 32) -> Image.Image:
    return to_image(torch.tensor(colour)[:, None, None].expand(3, size, size))


def beside(size: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    x = torch.full((3, size, size), -1.0)
    x[0, :, : size // 2] = 1
    x[2, :, size // 2 :] = 1
    return to_image(x)


def test_the_score_is_the_worst_views_fit_to_its_own_prompt():
    """A red picture fits the red prompt by 1 / sqrt(4) and the blue one by the opposite."""
    (said,) = judge_pictures(Exact(), TEXTS, request(), [flat(1, -1, -1)])
    assert said.similarities == pytest.approx((0.5, -0.5, 0.5, -0.5), abs=1e-6)
    assert said.alignment == pytest.approx(-0.5, abs=1e-6)
    own, other = math.exp(0.5 / 0.5), math.exp(-0.5 / 0.5)
    by_prompt = (own / (own + other) + other / (own + other)) / 2
    assert said.concealment == pytest.approx((by_prompt + 0.5) / 2, abs=1e-6)
    assert said.embedding == pytest.approx((0.5, -0.5, -0.5, 0.5), abs=1e-6)
    assert (said.near, said.far, said.change_distance, said.source_distance) == (None,) * 4


def test_two_subjects_side_by_side_lead_the_whole():
    """Each half is more of its colour than the whole is of both."""
    halved, plain = judge_pictures(Exact(), TEXTS, request(), [beside(), flat(0.5, -1, 0.5)])
    assert halved.split > 0.2
    assert plain.split == pytest.approx(0, abs=1e-6)


def test_a_quick_look_leaves_out_what_is_dear():
    """Halves and distances; the score is the same."""
    judge = Exact()
    asked = request(kind="hybrid", views=("low_pass:8", "high_pass:8"), reduction="sum")
    (quick,) = judge_pictures(judge, TEXTS, asked, [beside()], thorough=False)
    few = len(judge.shown)
    (thorough,) = judge_pictures(judge, TEXTS, asked, [beside()])
    assert (quick.split, quick.change_distance) == (None, None)
    assert thorough.split is not None
    assert few == 3  # the picture, blurred, shrunk: from near it is the picture itself
    assert len(judge.shown) == few + 3 + 8 + 2 * 4  # distances but 0, halves from near and far
    assert quick.alignment == thorough.alignment


def test_a_hybrid_is_read_from_near_and_in_two_ways_from_afar():
    """The score is the worst of the three; the whole matrix is there too."""
    asked = request(kind="hybrid", views=("low_pass:8", "high_pass:8"), reduction="sum")
    (said,) = judge_pictures(Exact(), TEXTS, asked, [flat(0.5, -1, 0.1)])
    assert said.far == pytest.approx(said.far_shrunk, abs=1e-4)
    assert said.near < said.far
    assert said.alignment == min(said.near, said.far, said.far_shrunk)
    assert said.change_distance == 0  # the far prompt leads at any distance
    (other,) = judge_pictures(Exact(), TEXTS, asked, [flat(0.1, -1, 0.5)])
    assert other.change_distance is None


def test_of_an_inpainting_the_surroundings_of_the_hole_are_judged():
    """A small red hole in a blue photograph: more red than the whole picture is."""
    x = torch.full((3, 64, 64), -1.0)
    x[2] = 1
    x[:, :16, :16] = torch.tensor([1.0, -1, -1])[:, None, None]
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 16, 16))
    asked = inpainting(image=stored(to_image(x)), mask=stored(mask), prompts=("red",))
    judge = Exact()
    (said,) = judge_pictures(judge, TEXTS[:1], asked, [to_image(x)])
    assert {tuple(shown.shape) for shown in judge.shown} == {(3, 64, 64), (3, 24, 24)}
    share = 16**2 / 24**2
    red = 2 * share - 1
    assert said.alignment == pytest.approx(red / math.sqrt(2 * red**2 + 1 + 1), abs=1e-6)
    assert said.kept_error == 0
    assert said.seam > 1


def stored(image: Image.Image) -> Picture:
    import io

    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return Picture(buffer.getvalue())


def test_of_an_edit_it_is_said_how_far_it_went_from_its_source():
    """0 for the source itself, 1 - cosine for another picture."""
    asked = request(
        kind="edit", image=stored(flat(1, -1, -1)), strength=0.5, prompts=("red",),
        views=("identity",),
    )  # fmt: skip
    same, other = judge_pictures(Exact(), TEXTS[:1], asked, [flat(1, -1, -1), flat(-1, -1, 1)])
    assert same.source_distance == pytest.approx(0, abs=1e-6)
    assert other.source_distance == pytest.approx(1 - 0.0, abs=1e-6)


def test_every_kind_is_judged_alone_as_in_company():
    """Whatever is shown of it, and whether or not it is many."""
    pictures = [flat(0.1 * n, -0.5, 0.3) for n in range(20)]
    for asked in every_kind():
        images = pictures
        if asked.kind == "denoise":
            images = [image.resize((160, 32)) for image in pictures]
        together = judge_pictures(Exact(), TEXTS[: len(asked.prompts)], asked, images)
        assert len(together) == 20
        for n in (0, 7, 19):
            alone = judge_pictures(Exact(), TEXTS[: len(asked.prompts)], asked, [images[n]])
            assert alone == [together[n]]
    assert judge_pictures(Exact(), TEXTS, request(), []) == []


def test_pictures_with_a_steering_prompt_are_judged_by_what_is_wanted():
    """The unwanted view is neither in the score nor in the halves."""
    asked = request(
        kind="hybrid", prompts=("a", "b"), views=("scale:1.5", "scale:-0.5"), reduction="sum"
    )
    (said,) = judge_pictures(Exact(), TEXTS, asked, [flat(1, -1, -1)])
    assert said.alignment == pytest.approx(0.5, abs=1e-6)
    assert said.split is None
