from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import PromptError
from edge_daemon.prefilter.prompt import (
    NOTE_EMPTY,
    NOTE_FOREIGN,
    NOTE_LONG,
    NOTE_NOTHING_LEFT,
    Distilled,
    check_prompt,
    cut_to_budget,
    distil,
)
from edge_daemon.prefilter.tagger import EmbeddedTagger

TAGGER = EmbeddedTagger()


def words(text: str) -> int:
    return len(text.split())


def distilled(prompt: str, budget: int = 75) -> Distilled:
    return distil(prompt, tagger=TAGGER, token_count=words, token_budget=budget)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Is there a dog in this image? Please answer yes or no.", "dog"),
        ("Is there a dog in the picture, please answer Yes or No", "dog"),
        (
            "How many towels are in the image?\nA. One\nB. Two\nC. Three\nD. Four\n"
            "Answer with the option's letter from the given choices directly.",
            "towel one two three four",
        ),
        (
            "Hint: N/A\nQuestion: Which animal is it?\nOptions:\nA. the elephant\nB. a mouse\n"
            "Please select the correct answer from the options above. \n",
            "animal elephant mouse",
        ),
        (
            "Context: N/A\nQuestion: Which country is it?\nChoices:\n(A) France (B) Peru\nAnswer:",
            "country France Peru",
        ),
        ("<image>\nThere are several options: A. cat B. dog", "cat dog"),
        ("What is on the table? Answer the question using a single word or phrase.", "table"),
        ("Please answer: where is the red car?", "red car"),
        (
            "Hint: Please answer the question and provide the correct option letter, e.g., A, B, "
            "C, D, at the end.\nQuestion: Where is the hat?\nChoices:\n(A) left\n(B) top",
            "hat left top",
        ),
        ("Can you tell me what kind of fruit the boy eats?", "fruit boy eat"),
        ("Based on the image, which of the following is a fish?", "fish"),
    ],
)
def test_what_is_about_the_answer_goes(prompt: str, text: str) -> None:
    assert distilled(prompt).text == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("What color is the red sign on the left?", "color red sign left"),
        ("two dogs behind the parked cars", "two dog behind parked car"),
        ("Where's the woman's handbag?", "woman handbag"),
        ("the red question mark", "red question mark"),
        ("Where is the letter?", "letter"),
        (
            "Is the New York Times near the Statue of Liberty?",
            "New York Times near Statue of Liberty",
        ),
        ("What does the sign that says 'STOP here. Now' mean?", "sign say STOP here. Now mean"),
        ("the “no vacancy” button", "no vacancy button"),
        ("Where is the 🚲 near the 🏠?", "🚲 near 🏠"),
        ("Where is the 猫?", "猫"),
        ("a dog and a dog and dogs", "dog"),
    ],
)
def test_what_is_about_the_picture_stays_in_order(prompt: str, text: str) -> None:
    result = distilled(prompt)
    assert result.text == text
    assert result.note is None


def test_option_letters_are_kept_apart_from_their_text() -> None:
    result = distilled("What sport is it? (A) tennis (B) golf. Answer:")
    assert [(one.letter, one.text) for one in result.options] == [("A", "tennis"), ("B", "golf.")]
    assert result.text == "sport tennis golf"
    assert "Answer" in result.removed_phrases


def test_a_short_budget_keeps_names_and_nouns_then_adjectives() -> None:
    prompt = 'the big dog quickly running near "two words" and Paris with a yellow hat'
    assert distilled(prompt, 5).text == "dog two words Paris hat"
    assert distilled(prompt, 6).text == "big dog two words Paris hat"
    assert distilled(prompt, 2).text == "dog Paris"
    assert "running" in distilled(prompt, 6).dropped


def test_the_question_goes_before_its_options() -> None:
    assert distilled("Which fruit? A. apple B. pear C. plum", 2).text == "fruit apple"


def test_a_quotation_longer_than_the_budget_is_cut() -> None:
    result = distilled('"one two three four"', 3)
    assert (result.text, result.kept[0].pos) == ("one two three", "quote")


def test_the_real_token_count_decides() -> None:
    result = distil(
        "extraordinarily long words and a dog", tagger=TAGGER, token_count=len, token_budget=8
    )
    assert result.text == "word dog"
    assert result.tokens == 8


@pytest.mark.parametrize("prompt", ["", "   \n\t", "\x00\x01", "\ud800", "\u200b"])
def test_an_empty_prompt_says_so(prompt: str) -> None:
    assert distilled(prompt) == Distilled(raw="", text="", tokens=0, note=NOTE_EMPTY)


@pytest.mark.parametrize("prompt", ["???", "Is it this?", "Please answer yes or no."])
def test_when_nothing_is_left_the_raw_text_is_used(prompt: str) -> None:
    result = distilled(prompt)
    assert (result.text, result.note) == (prompt, NOTE_NOTHING_LEFT)


@pytest.mark.parametrize("prompt", ["猫在哪里", "أين القطة الحمراء", "где красный автомобиль"])
def test_other_scripts_go_through_raw(prompt: str) -> None:
    result = distilled(prompt, 2)
    assert result.text == " ".join(prompt.split()[:2])
    assert result.note == NOTE_FOREIGN


def test_boilerplate_around_another_script_still_goes() -> None:
    result = distilled("猫在哪里猫在哪里猫在哪里猫在哪里? Please answer yes or no.")
    assert result.text == "猫在哪里猫在哪里猫在哪里猫在哪里?"


def test_control_characters_and_surrogates_are_white_space() -> None:
    assert distilled("red\x00sign\ud800 left\x7f").text == "red sign left"


def test_of_a_very_long_prompt_both_ends_are_read() -> None:
    result = distilled("red bicycle " + "of the " * 50_000 + " blue door")
    assert result.text == "red bicycle blue door"
    assert result.note == NOTE_LONG


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300), st.integers(1, 6))
def test_any_text_fits_any_budget(prompt: str, budget: int) -> None:
    result = distil(prompt, tagger=TAGGER, token_count=len, token_budget=budget)
    assert len(result.text) <= budget
    assert result.tokens == len(result.text)
    assert bool(result.text) == (result.note != NOTE_EMPTY)
    result.text.encode("utf-8")


@given(
    st.text(alphabet="ab ", max_size=40).map(lambda text: " ".join(text.split())), st.integers(1, 9)
)
def test_cutting_takes_the_longest_beginning_between_words(text: str, budget: int) -> None:
    cut = cut_to_budget(text, len, budget)
    assert len(cut) <= budget
    assert text.startswith(cut)
    if len(cut) < len(text) and " " in text[:budget]:
        assert text[len(cut)] == " "


@pytest.mark.parametrize("prompt", ["x" * 17, "é" * 9])
def test_a_prompt_above_the_limit_is_refused(prompt: str) -> None:
    with pytest.raises(PromptError, match="longer than 16 bytes") as caught:
        check_prompt(prompt, 16)
    assert "bytes" in (caught.value.value or "")


def test_a_prompt_at_the_limit_passes_and_other_types_do_not() -> None:
    check_prompt("é" * 8, 16)
    with pytest.raises(PromptError, match="not text"):
        check_prompt(b"dog", 16)  # pyright: ignore[reportArgumentType]
