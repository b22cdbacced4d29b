"""What a model chose, out of what it said, by the rules that VLMEvalKit calls exact matching.

They are followed to the letter, odd corners included, so that figures compare with published ones:
the answer "A dog" chooses A, whatever the option is that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from edge_daemon.study.vlm.questions import Question

NO_OPTION: Final = "Z"
UNKNOWN: Final = "Unknown"

_REFUSALS: Final = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
"""Ways of some models to refuse."""
_AROUND_LETTERS: Final = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_LAST_WORDS: Final = 4
"""A letter counts if its first mention is among so many words at the end."""
_LENGTH: Final = 2
"""An answer is looked through for an option's text only up to so many times all options' length."""
_MARKS: Final = ';/[]"{}()=+\\_-><@`,?!'


def extracted(question: Question, answer: str) -> str:
    """A letter or `NO_OPTION`; for a yes/no question "Yes", "No" or `UNKNOWN`."""
    return option_of(answer, question.options) if question.options else yes_or_no(answer)


def option_of(answer: str, options: Mapping[str, str]) -> str:
    """The letter of the option that an answer chooses.

    The only letter that stands alone, near the end, in parentheses or not; else the only option
    whose text is part of the answer.

    Args:
        answer: What a model said.
        options: Texts by letter.

    Returns:
        One of the letters, or `NO_OPTION` for a refusal, several of them, or none.
    """
    if any(refusal in answer for refusal in _REFUSALS):
        return NO_OPTION
    words = answer.translate(_AROUND_LETTERS).split()
    letters = [letter for letter in options if letter in words]
    if len(letters) == 1 and words.index(letters[0]) >= len(words) - _LAST_WORDS:
        return letters[0]
    if not letters and NO_OPTION in words:
        return NO_OPTION
    if len(answer) > _LENGTH * sum(len(text) for text in options.values()):
        return NO_OPTION
    said = answer.lower()
    named = [letter for letter, text in options.items() if text.lower() in said]
    return named[0] if len(named) == 1 else NO_OPTION


def yes_or_no(answer: str) -> str:
    """The one of "Yes" and "No" that is a word of the answer; `UNKNOWN` for both or neither."""
    words = _without_marks(answer.lower()).split()
    found = [word for word in ("yes", "no") if word in words]
    return found[0].capitalize() if len(found) == 1 else UNKNOWN


def _without_marks(text: str) -> str:
    """The text without punctuation, as the evaluation of VQA removes it (visualqa.org).

    A mark that stands beside a space anywhere goes without a trace, others leave a space; of a text
    with a comma between digits all go without a trace. Full stops stay before digits.
    """
    closed = re.search(r"\d,\d", text) is not None
    bare = text
    for mark in _MARKS:
        beside_space = f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if closed or beside_space else " ")
    return re.sub(r"\.(?!\d)", "", bare)
