from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.prefilter.prompt import distil
from edge_daemon.prefilter.tagger import make_tagger
from edge_daemon.semantic.steering import asked_of, led, mentions, shortened

TAGGER = make_tagger("embedded")


def asked(*questions: str) -> tuple[str, ...]:
    return asked_of(
        distil(one, tagger=TAGGER, token_count=lambda text: len(text.split()), token_budget=75)
        for one in questions
    )


def test_a_property_that_is_asked_for_describes_nothing() -> None:
    assert asked("What colour is the red bicycle's saddle?") == ("red bicycle saddle",)


def test_every_question_counts_once() -> None:
    assert asked("Is there a dog?", "", "Where is the dog?") == ("dog",)


def test_a_question_about_a_property_alone_is_kept() -> None:
    assert asked("What colour?") == ("colour",)


def test_what_is_missing_is_put_first() -> None:
    text = "A busy street. A dog at the left."
    assert led(text, ("dog",), 100) == "dog. A busy street. A dog at the left."
    assert led("Two dogs in a street. Rain.", ("dog",), 100) == "Two dogs in a street. Rain."


def test_an_empty_text_says_what_was_asked() -> None:
    assert led("", ("dog", "cat"), 100) == "dog, cat"
    assert led("", (), 100) == ""


def test_the_end_gives_way_and_not_what_was_asked() -> None:
    assert led("A busy street with very many cars", ("dog",), 16) == "dog. A busy"


def test_of_several_the_first_is_kept_to_the_last() -> None:
    text = "A dog in a busy street"
    assert led(text, ("dog", "cat"), 100) == "cat. A dog in a busy street"
    assert led(text, ("dog", "cat"), 12) == "dog, cat. A"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a red bicycle at the left", True),
        ("Red bicycles", True),
        ("a bicycle that is red", True),
        ("a bicycle", False),
        ("a redder bicyclette", False),
    ],
)
def test_mentions(text: str, found: bool) -> None:
    assert mentions(text, "red bicycle") is found


def test_shortened_cuts_between_words() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 12) == "one two"
    assert shortened("one, two", 4) == "one"
    assert shortened("unbreakable", 4) == "unbr"


@given(text=st.text(max_size=40), most=st.integers(min_value=1, max_value=60))
def test_shortened_is_a_beginning_within_its_bytes(text: str, most: int) -> None:
    text = text.encode("utf-8", "ignore").decode("utf-8")
    short = shortened(text, most)
    assert text.startswith(short)
    assert len(short.encode("utf-8")) <= most
