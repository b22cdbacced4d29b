"""Accuracy by the benchmarks' own rules.

Multiple choice (MMBench, SEED-Bench): the share of right answers, over all questions and for each
category. Yes/no (MME, Fu et al. 2023, arXiv:2306.13394): a category's score is 100 (acc + acc+),
acc the share of right answers and acc+ the share of pictures of which both questions are right;
perception and cognition are sums over categories.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge_daemon.study.vlm.answers import Answered
from edge_daemon.study.vlm.circular import Item
from edge_daemon.study.vlm.extraction import extracted

MME_SUMS: Final = {
    "perception": (
        "existence",
        "count",
        "position",
        "color",
        "posters",
        "celebrity",
        "scene",
        "landmark",
        "artwork",
        "OCR",
    ),
    "cognition": (
        "commonsense_reasoning",
        "numerical_calculation",
        "text_translation",
        "code_reasoning",
    ),
}
OVERALL: Final = "overall"
_PAIR: Final = 2
"""Questions that MME asks of each picture."""


@dataclass(frozen=True)
class Judged:
    """An item under one condition, and what its answers are worth.

    Attributes:
        item: What was asked.
        answered: What was said.
        extracted: What that chose, one for each answer.
        right: Whether every pass was answered right.
    """

    item: Item
    answered: Answered
    extracted: tuple[str, ...]
    right: bool


def judged(item: Item, answered: Answered) -> Judged:
    """Score one item."""
    pairs = list(zip(item.passes, answered.answers, strict=False))
    chosen = tuple(extracted(question, answer) for question, answer in pairs)
    right = len(pairs) == len(item.passes) and all(
        choice == question.answer for choice, (question, _) in zip(chosen, pairs, strict=True)
    )
    return Judged(item, answered, chosen, right)


@dataclass(frozen=True)
class Score:
    """A figure of one condition.

    Attributes:
        series, codec, quality: Of the condition.
        group: "overall", a category, "perception" or "cognition".
        questions: How many were answered.
        accuracy: Share that was right, 0..1.
        pictures: Those of which both questions were answered; yes/no only.
        accuracy_plus: Share of them of which both are right, 0..1; `None` if there are none.
        score: 100 (accuracy + accuracy_plus), or a sum of it; `None` where there is none.
    """

    series: str
    codec: str
    quality: float
    group: str
    questions: int
    accuracy: float
    pictures: int | None = None
    accuracy_plus: float | None = None
    score: float | None = None


def scores_of(found: Sequence[Judged]) -> list[Score]:
    """All figures, condition by condition, in order of appearance.

    A perception or cognition score is the sum over those of its categories that are there.
    """
    conditions = dict.fromkeys(one.answered.key[1:] for one in found)
    return [
        score
        for condition in conditions
        for score in _of_one([one for one in found if one.answered.key[1:] == condition])
    ]


def _of_one(found: Sequence[Judged]) -> list[Score]:
    if any(one.item.question.options for one in found):
        return [_accuracy(OVERALL, found), *_by_category(found)]
    scores = [_pairs(group, own) for group, own in _grouped(found, "category")]
    return [_accuracy(OVERALL, found), *_sums(found, scores), *scores]


def _by_category(found: Sequence[Judged]) -> list[Score]:
    groups = [*_grouped(found, "l2_category"), *_grouped(found, "category")]
    return [_accuracy(group, own) for group, own in groups]


def _grouped(found: Sequence[Judged], column: str) -> list[tuple[str, list[Judged]]]:
    """Those with a value in that column, by value."""
    groups: dict[str, list[Judged]] = {}
    for one in found:
        groups.setdefault(getattr(one.item.question, column), []).append(one)
    return [(group, own) for group, own in sorted(groups.items()) if group]


def _accuracy(group: str, found: Sequence[Judged]) -> Score:
    answered = found[0].answered
    share = _share(one.right for one in found)
    return Score(answered.series, answered.codec, answered.quality, group, len(found), share)


def _pairs(category: str, found: Sequence[Judged]) -> Score:
    plain = _accuracy(category, found)
    by_picture: dict[str, list[bool]] = {}
    for one in found:
        by_picture.setdefault(one.item.question.picture, []).append(one.right)
    pairs = [rights for rights in by_picture.values() if len(rights) == _PAIR]
    plus = _share(all(rights) for rights in pairs) if pairs else None
    score = None if plus is None else 100 * (plain.accuracy + plus)
    return replace(plain, pictures=len(pairs), accuracy_plus=plus, score=score)


def _sums(found: Sequence[Judged], scores: Sequence[Score]) -> list[Score]:
    sums: list[Score] = []
    for name, categories in MME_SUMS.items():
        own = [one for one in found if one.item.question.category in categories]
        parts = [one.score for one in scores if one.group in categories and one.score is not None]
        if parts:
            sums.append(replace(_accuracy(name, own), score=sum(parts)))
    return sums


def _share(rights: Iterable[bool]) -> float:
    values = list(rights)
    return sum(values) / len(values)
