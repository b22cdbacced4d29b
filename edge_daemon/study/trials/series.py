"""From trials to curves: only questions that were sent in every way count, so that they pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_daemon.study.bdrate import Comparison, Rules, Series, compare_all
from edge_daemon.study.methods.catalogue import PLAIN
from edge_daemon.study.tasks.task import Measure
from edge_daemon.study.trials.trial import Sending, TaskOutcome, Trial


@dataclass(frozen=True)
class Paired:
    """One codec's trials of the questions that have them all.

    Attributes:
        sendings: Every way in which any question was sent, in the outcome's order.
        rows: For each question one trial per sending; in order of the questions' ids.
    """

    sendings: tuple[Sending, ...]
    rows: tuple[tuple[Trial, ...], ...]


def paired(outcome: TaskOutcome, codec: str, measure: Measure | None = None) -> Paired:
    """The questions that can be compared: sent with a codec by all methods at all qualities.

    Questions that failed somewhere, or that an interrupted run has not come to, are left out.

    Args:
        outcome: Of a task.
        codec: Its name.
        measure: Leave out, too, questions of which any trial has no value of it.
    """
    sendings: dict[Sending, None] = {}
    questions: dict[str, dict[Sending, Trial]] = {}
    for trial in outcome.trials:
        if trial.codec == codec:
            sendings[trial.sending] = None
            questions.setdefault(trial.question, {})[trial.sending] = trial
    methods = outcome.methods
    order = sorted(sendings, key=lambda sending: (methods.index(sending[0]), sending[2]))
    whole = [found for _, found in sorted(questions.items()) if len(found) == len(order)]
    rows = (tuple(found[sending] for sending in order) for found in whole)
    if measure is not None:
        place = outcome.measures.index(measure)
        rows = (row for row in rows if all(one.values[place] is not None for one in row))
    return Paired(tuple(order), tuple(rows))


def series_of(outcome: TaskOutcome, measure: Measure) -> list[Series]:
    """The curves of a task by one of its measures, by codec and method.

    A codec with no question that was sent in every way has none.

    Args:
        outcome: Of the task.
        measure: One of its own; "accuracy" in the series stands for its values.
    """
    place = outcome.measures.index(measure)
    found: list[Series] = []
    for codec in outcome.codecs:
        pairs = paired(outcome, codec, measure)
        if not pairs.rows:
            continue
        cells = [
            [(8 * one.bytes, one.pixels, one.sent_pixels, one.values[place]) for one in row]
            for row in pairs.rows
        ]
        figures = np.array(cells, np.float64)
        questions = tuple(row[0].question for row in pairs.rows)
        for method in dict.fromkeys(sending[0] for sending in pairs.sendings):
            columns = [at for at, sending in enumerate(pairs.sendings) if sending[0] == method]
            qualities = tuple(f"{pairs.sendings[column][2]:g}" for column in columns)
            parts = np.moveaxis(figures[:, columns], -1, 0)
            found.append(Series(method, codec, qualities, questions, *parts, has_bytes=True))
    return found


def compare_methods(
    measured: Sequence[Series], rules: Rules, *, resamples: int, seed: int
) -> list[Comparison]:
    """Every method against the codec alone; empty if there is no other method.

    Args:
        measured: What `series_of` made of one measure.
        rules: How.
        resamples: Draws of questions for the confidence intervals; 0 for none.
        seed: Decides the draws.

    Raises:
        ResultsError: The codec alone was not tried.
        UnsupportedError: `bjontegaard` is not installed.
    """
    if all(one.name == PLAIN for one in measured):
        return []
    return compare_all(measured, PLAIN, rules, resamples=resamples, seed=seed)
