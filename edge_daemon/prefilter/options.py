"""Multiple-choice letters, told apart from the text that they label."""

from __future__ import annotations

import re
from dataclasses import dataclass

# "(A)", "[A]", "A.", "A)" or "A:", after white space or at the start.
_LETTER = re.compile(
    r"(?<!\S)(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):])(?=\s|[^\W_]|[\"'“‘(<])"
)


@dataclass(frozen=True)
class Option:
    """One choice: its letter as written, and its text."""

    letter: str
    text: str


@dataclass(frozen=True)
class Passage:
    """A piece of the prompt in its original order; `letter` is `None` outside the options."""

    text: str
    letter: str | None = None


def split_options(text: str) -> tuple[Passage, ...]:
    """Cut a prompt into its question and its options, letters removed from both.

    A letter counts only as part of a run that starts at A and goes on without a gap, at least to B:
    "vitamin C." and "plan B: run" stay text. The last option ends at the end of its line.
    """
    passages: list[Passage] = []
    position = 0
    runs = _runs(text)
    for number, run in enumerate(runs):
        limit = runs[number + 1][0].start() if number + 1 < len(runs) else len(text)
        passages.append(Passage(text[position : run[0].start()]))
        for i, match in enumerate(run):
            if i + 1 < len(run):
                end = run[i + 1].start()
            else:
                newline = text.find("\n", match.end(), limit)
                end = limit if newline < 0 else newline
            passages.append(Passage(text[match.end() : end].strip(), _letter(match)))
            position = end
    passages.append(Passage(text[position:]))
    return tuple(passage for passage in passages if passage.letter or passage.text.strip())


def _letter(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _runs(text: str) -> list[list[re.Match[str]]]:
    """Runs of consecutive letters from A, each at least two long, in order of appearance."""
    runs: list[list[re.Match[str]]] = []
    run: list[re.Match[str]] = []
    for match in _LETTER.finditer(text):
        letter = _letter(match)
        if letter in "Aa":
            runs.append(run)
            run = [match]
        elif run and ord(letter) == ord(_letter(run[-1])) + 1:
            run.append(match)
    runs.append(run)
    return [found for found in runs if len(found) > 1]
