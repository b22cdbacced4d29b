"""What went wrong on the way to a text, and did not stop it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Trouble = Literal[
    "endpoint-down",
    "endpoint-slow",
    "endpoint-refused",
    "malformed-answer",
    "too-long",
    "control-characters",
    "instructions",
    "out-of-time",
    "out-of-money",
    "no-generator",
    "no-picture",
]
"""What kind of trouble, for programs.

- endpoint-down: no connection, or one that broke; endpoint-slow: no whole answer in time;
  endpoint-refused: an answer with an error status.
- malformed-answer: HTML, no JSON, lengths that do not hold, nothing in it that was asked for.
- too-long, control-characters, instructions: a text that was cut or cleaned, or left out because it
  talks to its reader instead of describing.
- out-of-time, out-of-money: a limit ended the search.
- no-generator: nothing was drawn, so the scores compare text and picture only; no-picture: the
  generator had none for this text.
"""

_LONGEST_DETAIL: Final = 200
"""Characters."""


@dataclass(frozen=True)
class Note:
    """One trouble that the search survived.

    Attributes:
        trouble: Its kind.
        detail: For people; without secrets, at most some 200 characters.
    """

    trouble: Trouble
    detail: str


def noted(trouble: Trouble, detail: str) -> Note:
    """A note of which the detail may come out longer than it ought to be, and is cut."""
    return Note(trouble, detail[:_LONGEST_DETAIL])
