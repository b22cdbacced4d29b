"""What a model chose, by VLMEvalKit's rules for exact matching."""

from __future__ import annotations

import pytest

from edge_daemon.study.vlm.extraction import option_of, yes_or_no

OPTIONS = {"A": "a red car", "B": "two bicycles", "C": "a red car and a dog", "D": "nothing"}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        (" (C) ", "C"),
        ("[D]", "D"),
        ("**B**", "B"),
        ("B. two bicycles", "B"),
        ("B: there are two", "B"),
        ("The answer is C", "C"),
        ("The correct answer is (D).", "D"),
        ("Answer: A, of course", "A"),
        # Only the last four words may be letters; then the text decides.
        ("B it is then", "B"),
        ("B it is then, surely", "Z"),
        ("B is what I would say here", "Z"),
        ("B is the one: I see two bicycles here", "B"),
        # Several letters say nothing, but a text may.
        ("A or B", "Z"),
        ("Neither A nor B: nothing", "D"),
        # Letters are capitals that stand alone.
        ("b", "Z"),
        ("ABC", "Z"),
        ("Because", "Z"),
        # The text of an option, whatever its case.
        ("Two bicycles", "B"),
        ("I see TWO BICYCLES.", "B"),
        ("there is nothing", "D"),
        # Two texts of which one is in the other.
        ("a red car and a dog", "Z"),
        ("I see a red car", "A"),
        # Far longer than all options.
        ("I see " + "very " * 30 + "many things, nothing else", "Z"),
        # The rule takes an article for a letter.
        ("A dog", "A"),
        # Refusals and none of them.
        ("I can't process this file. B", "Z"),
        ("Cannot determine the answer", "Z"),
        ("I'm sorry, but without the image provided I would say B", "Z"),
        ("Sorry, I can't help with images of people yet.", "Z"),
        ("Z", "Z"),
        ("Z: not nothing", "Z"),
        ("E", "Z"),
        ("", "Z"),
    ],
)
def test_letters(answer: str, letter: str) -> None:
    assert option_of(answer, OPTIONS) == letter


def test_texts_are_looked_for_up_to_twice_the_length_of_all_options() -> None:
    length = 2 * sum(len(text) for text in OPTIONS.values())
    assert option_of("nothing".ljust(length, "!"), OPTIONS) == "D"
    assert option_of("nothing".ljust(length + 1, "!"), OPTIONS) == "Z"


def test_letters_are_those_of_the_question() -> None:
    assert option_of("E", {**OPTIONS, "E": "five"}) == "E"
    assert option_of("C", {"A": "cat", "B": "dog"}) == "Z"


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("Yes", "Yes"),
        ("no", "No"),
        ("YES.", "Yes"),
        ("No, it is not.", "No"),
        ("Yes,it is", "Yes"),
        ("(yes)", "Yes"),
        ("yes/no", "Unknown"),
        ("Yes and no", "Unknown"),
        ("I do not know", "Unknown"),
        ("Yesterday", "Unknown"),
        ("nothing", "Unknown"),
        ("Answer:\nyes!", "Yes"),
        ("It costs 1,000: no!", "No"),
        ("It costs 1,000,yes", "Unknown"),
        ("About 2.5, yes", "Yes"),
        ("**Yes**", "Unknown"),
        ("", "Unknown"),
    ],
)
def test_yes_or_no(answer: str, choice: str) -> None:
    assert yes_or_no(answer) == choice
