"""The list of what the embedded model can draw, and the pairs that it is measured on."""

from fundiff.mini.concepts import CONCEPTS, LINES, SHADOWS, SUBJECTS, prompts
from fundiff.mini.fonts import CODE_POINTS, FAMILIES, HELD_OUT, ICON_FAMILIES, ICON_NAMES
from fundiff.mini.networks import judge_processor, tokenizer
from fundiff.mini.pairs import HYBRIDS, ROTATE_90, ROTATE_180


def test_every_prompt_is_lower_case_and_asks_for_one_subject() -> None:
    """IF lower-cases prompts; two subjects with one prompt could not be told apart."""
    every = [prompt for subject in SUBJECTS for prompt in subject.prompts]
    assert every == [prompt.lower().strip() for prompt in every]
    assert len(set(every)) == len(every)


def test_shadows_and_line_drawings_are_of_known_concepts() -> None:
    """Every concept of a style has masks to be drawn from."""
    assert set(SHADOWS) <= set(CONCEPTS)
    assert set(LINES) <= set(CONCEPTS)


def test_every_pair_asks_for_prompts_that_the_model_knows() -> None:
    """At least 30 anagrams and 20 hybrids, none twice, none of a word outside the vocabulary."""
    anagrams = [*ROTATE_180, *ROTATE_90]
    assert len(set(anagrams)) == len(anagrams) >= 30
    assert len(set(HYBRIDS)) == len(HYBRIDS) >= 20
    assert {prompt for pair in [*anagrams, *HYBRIDS] for prompt in pair} <= set(prompts())


def test_every_symbol_has_code_points_and_icon_names() -> None:
    """A symbol without either would have no masks."""
    symbols = {concept for concept in CONCEPTS if not concept.startswith("the ")}
    assert set(CODE_POINTS) == set(ICON_NAMES) == symbols


def test_held_out_fonts_are_fonts() -> None:
    """A misspelt family would be drawn for the generator."""
    assert set(HELD_OUT) <= {*FAMILIES, *ICON_FAMILIES}


def test_the_tokenizers_know_every_word() -> None:
    """No prompt has an unknown piece, and no two prompts have the same pieces."""
    every = [prompt for subject in SUBJECTS for prompt in subject.prompts]
    for words in (tokenizer(), judge_processor().tokenizer):
        ids = [tuple(words(prompt).input_ids) for prompt in every]
        assert len(set(ids)) == len(ids)
    t5 = tokenizer()
    assert all(t5.unk_token_id not in t5(prompt).input_ids for prompt in every)
