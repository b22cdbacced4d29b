"""A task's figures as CSV: every trial, a row per way of sending, and what `study bdrate` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from edge_daemon.study.table import write_csv, write_rows
from edge_daemon.study.tasks.task import Measure
from edge_daemon.study.trials.series import Paired, paired
from edge_daemon.study.trials.trial import Failure, TaskOutcome, Trial

_SENDING: Final = ("method", "codec", "quality")
_RESULT: Final = (
    *("series", "codec", "quality", "question", "bytes", "pixels", "sent_pixels", "accuracy"),
)


@dataclass(frozen=True)
class Summary:
    """One way of sending, over the questions that were sent in every way with its codec.

    Attributes:
        method, codec, quality: Of it.
        questions: How many.
        bytes: Mean of the bitstreams.
        bpp: All bits over all pixels of the sources.
        bpp_sent: All bits over all pixels that were sent.
        means: Of each measure, over the questions of which every trial has a value; `None` if
            there are none.
    """

    method: str
    codec: str
    quality: float
    questions: int
    bytes: float
    bpp: float
    bpp_sent: float
    means: tuple[float | None, ...]


def write_tables(outcome: TaskOutcome, folder: Path) -> None:
    """Write a task's tables.

    Args:
        outcome: Of the task.
        folder: For `trials-TASK.csv`, `summary-TASK.csv`, `failures-TASK.csv`, and for each
            measure that is a share `results-TASK-MEASURE.csv`, the input of `study bdrate`.
    """
    task, measures = outcome.task, [measure.name for measure in outcome.measures]
    write_rows(
        ["question", *_SENDING, "bytes", "pixels", "sent_pixels", *measures],
        ([one.question, *_sent(one), *one.values] for one in outcome.trials),
        folder / f"trials-{task}.csv",
    )
    write_rows(
        [*_SENDING, "questions", "bytes", "bpp", "bpp_sent", *measures],
        ([*figures, *means] for *figures, means in map(astuple, summaries(outcome))),
        folder / f"summary-{task}.csv",
    )
    write_csv(outcome.failures, Failure, folder / f"failures-{task}.csv")
    for measure in outcome.measures:
        if measure.is_share:
            file = folder / f"results-{task}-{measure.name}.csv"
            write_rows(_RESULT, _results(outcome, measure), file)


def summaries(outcome: TaskOutcome) -> list[Summary]:
    """One per way of sending, by codec, method and quality."""
    found: list[Summary] = []
    for codec in outcome.codecs:
        every = paired(outcome, codec)
        judged = [paired(outcome, codec, measure) for measure in outcome.measures]
        if every.rows:
            found += [_summary(every, judged, column) for column in range(len(every.sendings))]
    return found


def _summary(every: Paired, judged: Sequence[Paired], column: int) -> Summary:
    trials = [row[column] for row in every.rows]
    bits = 8 * sum(one.bytes for one in trials)
    return Summary(
        *every.sendings[column],
        len(trials),
        fmean(one.bytes for one in trials),
        bits / sum(one.pixels for one in trials),
        bits / sum(one.sent_pixels for one in trials),
        tuple(_mean(pairs, column, place) for place, pairs in enumerate(judged)),
    )


def _mean(pairs: Paired, column: int, place: int) -> float | None:
    values = [row[column].values[place] for row in pairs.rows]
    return fmean(value for value in values if value is not None) if values else None


def _results(outcome: TaskOutcome, measure: Measure) -> Iterator[list[object]]:
    place = outcome.measures.index(measure)
    for codec in outcome.codecs:
        pairs = paired(outcome, codec, measure)
        for column in range(len(pairs.sendings)):
            for row in pairs.rows:
                one = row[column]
                sizes = (one.bytes, one.pixels, one.sent_pixels)
                yield [*one.sending, one.question, *sizes, one.values[place]]


def _sent(one: Trial) -> tuple[object, ...]:
    return (*one.sending, one.bytes, one.pixels, one.sent_pixels)
