"""The figures of a study as CSV, and as one line per condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.study.table import write_csv
from edge_daemon.study.vlm.extraction import NO_OPTION, UNKNOWN
from edge_daemon.study.vlm.scoring import Judged, Score, scores_of

RESULTS: Final = "results.csv"


@dataclass(frozen=True)
class Result:
    """One question under one condition, in the columns that `edge-daemon study bdrate` reads.

    Attributes:
        series, codec, quality: Of the condition.
        bytes: Of the bitstream.
        pixels: Of the source.
        accuracy: 1 if it was answered right, in every rotation, else 0.
        question: Its index.
    """

    series: str
    codec: str
    quality: float
    bytes: int
    pixels: int
    accuracy: int
    question: str


@dataclass(frozen=True)
class Said:
    """One answer.

    Attributes:
        question: Its index.
        rotation: 0 for the question as in the file, from 1 for its rotations.
        series, codec, quality: Of the condition.
        sent_pixels: Of the picture in the bitstream.
        category, l2_category, split: Of the question.
        expected: The right choice.
        extracted: What was chosen.
        answer: Word by word.
    """

    question: str
    rotation: int
    series: str
    codec: str
    quality: float
    sent_pixels: int
    category: str
    l2_category: str
    split: str
    expected: str
    extracted: str
    answer: str


@dataclass(frozen=True)
class Failure:
    """A question that has no answer, neither right nor wrong.

    Attributes:
        line: Of its row in the file.
        question: Its index, if it has one.
        code: Of the error; "bad_row" for a row that cannot be asked under any condition.
        problem: What happened.
        series, codec, quality: Of the condition; empty for a bad row.
    """

    line: int
    question: str
    code: str
    problem: str
    series: str = ""
    codec: str = ""
    quality: float | None = None


@dataclass(frozen=True)
class Summary:
    """One condition.

    Attributes:
        series, codec, quality: Of it.
        questions: How many were answered.
        bytes: Mean of the bitstreams.
        bpp: Mean of the bits per source pixel.
        accuracy: Share of the questions that were answered right, 0..1.
        unread: Questions of which an answer chose nothing, and which therefore count as wrong.
    """

    series: str
    codec: str
    quality: float
    questions: int
    bytes: float
    bpp: float
    accuracy: float
    unread: int


def write_tables(found: Sequence[Judged], failures: Sequence[Failure], folder: Path) -> None:
    """Write `results.csv`, `answers.csv`, `scores.csv` and `failures.csv` into a folder."""
    write_csv([_result(one) for one in found], Result, folder / RESULTS)
    write_csv([said for one in found for said in _said(one)], Said, folder / "answers.csv")
    write_csv(scores_of(found), Score, folder / "scores.csv")
    write_csv(failures, Failure, folder / "failures.csv")


def summaries(found: Sequence[Judged]) -> list[Summary]:
    """One per condition, in order of appearance."""
    conditions = dict.fromkeys(one.answered.key[1:] for one in found)
    return [
        _summary([one for one in found if one.answered.key[1:] == condition])
        for condition in conditions
    ]


def _summary(found: Sequence[Judged]) -> Summary:
    sent = [one.answered for one in found]
    count = len(found)
    return Summary(
        sent[0].series,
        sent[0].codec,
        sent[0].quality,
        count,
        sum(one.bytes for one in sent) / count,
        sum(8 * one.bytes / one.pixels for one in sent) / count,
        sum(one.right for one in found) / count,
        sum(not {NO_OPTION, UNKNOWN}.isdisjoint(one.extracted) for one in found),
    )


def _result(one: Judged) -> Result:
    sent = one.answered
    return Result(
        sent.series, sent.codec, sent.quality, sent.bytes, sent.pixels, int(one.right), sent.index
    )


def _said(one: Judged) -> list[Said]:
    sent, asked = one.answered, one.item.question
    return [
        Said(
            sent.index,
            rotation,
            sent.series,
            sent.codec,
            sent.quality,
            sent.sent_pixels,
            asked.category,
            asked.l2_category,
            asked.split,
            question.answer,
            extracted,
            answer,
        )
        for rotation, (question, extracted, answer) in enumerate(
            zip(one.item.passes, one.extracted, sent.answers, strict=False)
        )
    ]
