"""Circular evaluation: a question counts as right if it is under every rotation of its options.

A model that prefers a letter, or guesses, is right now and then, but hardly every time. MMBench
introduced it (Liu et al. 2023, arXiv:2307.06281); its files may bring the rotations along, as rows
whose index is that of the question plus a multiple of a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge_daemon.study.vlm.questions import Question

_STEP: Final = 1_000_000


@dataclass(frozen=True)
class Item:
    """What counts as one question.

    Attributes:
        question: As in the file.
        passes: Asked one after the other about the same picture; it is right if all are.
    """

    question: Question
    passes: tuple[Question, ...]


def items_of(questions: Sequence[Question], *, circular: bool) -> list[Item]:
    """What is asked, in the order of the file.

    Args:
        questions: Of one file. Rotations of others in it are asked only if `circular`.
        circular: Ask multiple-choice questions once for each rotation: those of the file, or where
            it has none, those made here.
    """
    by_index = {question.index: question for question in questions}
    rotations: dict[str, list[Question]] = {}
    for question in questions:
        base = _base(question, by_index)
        if base is not None:
            rotations.setdefault(base.index, []).append(question)
    found: list[Item] = []
    for question in questions:
        if _base(question, by_index) is not None:
            continue
        others = rotations.get(question.index) or rotated(question)
        found.append(Item(question, (question, *others) if circular else (question,)))
    return found


def rotated(question: Question) -> list[Question]:
    """The question with its options moved on by one, two and so on, under the same letters."""
    letters, texts = list(question.options), list(question.options.values())
    return [
        replace(
            question,
            options=dict(zip(letters, texts[step:] + texts[:step], strict=True)),
            answer=letters[letters.index(question.answer) - step],
        )
        for step in range(1, len(letters))
    ]


def _base(question: Question, by_index: dict[str, Question]) -> Question | None:
    """The question of the file that this one is a rotation of; `None` if it is none."""
    if not question.index.isdecimal() or int(question.index) < _STEP:
        return None
    base = by_index.get(str(int(question.index) % _STEP))
    if base is None or sorted(base.options.values()) != sorted(question.options.values()):
        return None
    return base
