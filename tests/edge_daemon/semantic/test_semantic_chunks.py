from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.semantic.chunks import chunks_of


def words(text: str) -> int:
    return len(text.split())


def letters(text: str) -> int:
    """As a byte-pair tokenizer may count a script that it does not know."""
    return len(text.encode("utf-8"))


def test_a_text_that_fits_is_one_piece() -> None:
    assert chunks_of("  A dog, a cat. ", words, 4) == ["A dog, a cat."]


def test_white_space_is_no_piece() -> None:
    assert chunks_of(" \n\t ", words, 4) == []


def test_sentences_are_kept_whole_where_they_fit() -> None:
    text = "A busy street. Two red cars at the left. A dog."
    assert chunks_of(text, words, 6) == ["A busy street.", "Two red cars at the left.", "A dog."]
    assert chunks_of(text, words, 9) == ["A busy street. Two red cars at the left.", "A dog."]


def test_a_long_sentence_is_cut_between_its_phrases() -> None:
    text = "A busy street, two red cars at the left, a dog with a ball"
    assert chunks_of(text, words, 6) == [
        "A busy street,",
        "two red cars at the left,",
        "a dog with a ball",
    ]


def test_a_long_phrase_is_cut_between_its_words() -> None:
    assert chunks_of("one two three four five", words, 2) == ["one two", "three four", "five"]


def test_a_long_word_is_cut_within() -> None:
    assert chunks_of("abcdefgh", letters, 4) == ["abcd", "efgh"]


def test_a_character_of_several_tokens_stays_whole() -> None:
    assert chunks_of("漢字", letters, 1) == ["漢", "字"]


@pytest.mark.parametrize("count", [words, letters])
@given(
    text=st.text(st.sampled_from("ab é漢 ,.;—\n(and)!"), max_size=80),
    budget=st.integers(min_value=1, max_value=12),
)
def test_nothing_is_lost_and_every_piece_fits(count: object, text: str, budget: int) -> None:
    counted = words if count is words else letters
    chunks = chunks_of(text, counted, budget)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert all(chunk and (counted(chunk) <= budget or len(chunk) == 1) for chunk in chunks)
