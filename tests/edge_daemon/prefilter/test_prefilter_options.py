from __future__ import annotations

import pytest

from edge_daemon.prefilter.options import Passage, split_options


@pytest.mark.parametrize(
    "text",
    [
        "Which? A. cat B. dog C. hen",
        "Which? (A) cat (B) dog (C) hen",
        "Which?\nA) cat\nB) dog\nC) hen",
        "Which?\nA: cat\nB: dog\nC: hen",
        "Which? a. cat b. dog c. hen",
        "Which? [A] cat [B] dog [C] hen",
        "Which? (A)cat (B)dog (C)hen",
    ],
)
def test_letters_are_told_from_their_text(text: str) -> None:
    question, *options = split_options(text)
    assert question.text.strip() == "Which?"
    assert [(option.letter or "").upper() for option in options] == ["A", "B", "C"]
    assert [option.text for option in options] == ["cat", "dog", "hen"]


@pytest.mark.parametrize(
    "text",
    ["vitamin C. and more", "plan B: run", "A. Smith's dog", "e.g., A, B, C", "U.S.A.", ""],
)
def test_lone_letters_are_text(text: str) -> None:
    assert all(passage.letter is None for passage in split_options(text))


def test_the_last_option_ends_with_its_line() -> None:
    assert split_options("Q? A. cat B. dog\nAnswer now") == (
        Passage("Q? "),
        Passage("cat", "A"),
        Passage("dog", "B"),
        Passage("\nAnswer now"),
    )


def test_two_lists_do_not_swallow_each_other() -> None:
    passages = split_options("A. one B. two A. three B. four")
    assert [passage.text for passage in passages] == ["one", "two", "three", "four"]
