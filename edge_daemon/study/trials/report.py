"""What there is to tell of a task, ready for the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import fmean

from edge_daemon.codecs import Codec
from edge_daemon.settings import PromptSettings
from edge_daemon.study.bdrate import Comparison, Point, Rules, Series, points_of
from edge_daemon.study.bdrate.charts import draw_curves
from edge_daemon.study.methods.catalogue import PLAIN
from edge_daemon.study.methods.method import Method
from edge_daemon.study.tasks.catalogue import DESCRIPTIONS
from edge_daemon.study.tasks.task import Measure, Task
from edge_daemon.study.trials.best import AtBest, at_best_quality
from edge_daemon.study.trials.examples import Example, make_examples, worth_showing
from edge_daemon.study.trials.series import compare_methods, series_of
from edge_daemon.study.trials.trial import Failure, TaskOutcome


@dataclass(frozen=True)
class MeasureReport:
    """One measure of a task.

    Attributes:
        measure: What its values are.
        comparisons: Of every other method with the plain codec, for each codec.
        points: All that was measured.
        at_best: Every method at the best quality.
        charts: Codec to the file of its curves, relative to the page.
    """

    measure: Measure
    comparisons: Sequence[Comparison]
    points: Sequence[Point]
    at_best: Sequence[AtBest]
    charts: Mapping[str, str]


@dataclass(frozen=True)
class TaskReport:
    """One task.

    Attributes:
        name: A word.
        about: In a sentence or two, what is asked and who answers.
        questions: How many were asked for.
        measures: All of them, in the task's order.
        examples: In the order to show them.
        failures: Questions that could not be sent or judged.
        left_out: What was not measured, and why.
    """

    name: str
    about: str
    questions: int
    measures: Sequence[MeasureReport]
    examples: Sequence[Example] = ()
    failures: Sequence[Failure] = ()
    left_out: Sequence[str] = ()


def report_task(
    task: Task,
    outcome: TaskOutcome,
    methods: Sequence[Method],
    codecs: Sequence[Codec],
    rules: Rules,
    folder: Path,
    *,
    bundle: str,
    prompt: PromptSettings,
    resamples: int,
    seed: int,
) -> TaskReport:
    """Compare, draw and send a few questions again: all that there is to tell of a task.

    Args:
        task: That was run.
        outcome: What came of it.
        methods: That were tried.
        codecs: Each at each of its qualities; examples show the first one's middle quality.
        rules: How methods are compared.
        folder: The page's.
        bundle: Name or path; of methods that name none.
        prompt: How prompts are distilled.
        resamples: Draws of questions for the confidence intervals; 0 for none.
        seed: Decides draws and examples.

    Raises:
        UnsupportedError: `bjontegaard` or matplotlib is not installed.
    """
    measures: list[MeasureReport] = []
    for measure in outcome.measures:
        measured = series_of(outcome, measure)
        compared = compare_methods(measured, rules, resamples=resamples, seed=seed)
        measures.append(
            report_measure(measure, measured, compared, rules, folder, task=outcome.task)
        )
    of_first = [codec for codec in codecs if codec.codec_id == codecs[0].codec_id]
    by_coarseness = sorted(of_first, key=lambda codec: codec.coarseness)
    examples, failures = make_examples(
        task,
        worth_showing(methods),
        by_coarseness[len(by_coarseness) // 2],
        folder,
        bundle=bundle,
        prompt=prompt,
        among=outcome.questions,
        seed=seed,
    )
    about = DESCRIPTIONS[outcome.task].partition(";")[0]
    return TaskReport(
        outcome.task,
        f"{about[0].upper()}{about[1:]}.",
        outcome.questions,
        measures,
        examples,
        [*outcome.failures, *failures],
        outcome.left_out,
    )


def report_measure(
    measure: Measure,
    measured: Sequence[Series],
    comparisons: Sequence[Comparison],
    rules: Rules,
    folder: Path,
    *,
    task: str,
) -> MeasureReport:
    """Draw the curves of one measure, and gather what else there is to tell of it.

    Args:
        measure: What the series' accuracy is.
        measured: One series for each method and codec; the plain codec is the anchor.
        comparisons: Of those series.
        rules: How they were compared.
        folder: For the charts; the page's.
        task: Its name, for the charts' files.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    rates = {(one.codec, one.series): one.bd_rate for one in comparisons if one.bd_rate is not None}
    charts = draw_curves(
        by_bd_rate(measured, rates),
        rules,
        {key: f"{key[1]} ({rate:+.1f} %)" for key, rate in rates.items()},
        folder,
        anchor=PLAIN,
        stem=f"{task}-{measure.name}",
        measure=f"{measure.name}: {measure.unit}",
    )
    return MeasureReport(
        measure, comparisons, points_of(measured, rules), at_best_quality(measured, PLAIN), charts
    )


def ranked(comparisons: Sequence[Comparison]) -> list[str]:
    """Series by their mean BD-rate over codecs, the lowest first; those without one come last."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for one in comparisons:
        rates[one.series] += [] if one.bd_rate is None else [one.bd_rate]
    return sorted(rates, key=lambda name: fmean(rates[name]) if rates[name] else inf)


def by_bd_rate(measured: Sequence[Series], rates: Mapping[tuple[str, str], float]) -> list[Series]:
    """Each codec's series, the lowest BD-rate first; those without one come last.

    Args:
        measured: The plain codec's stand where 0 % is.
        rates: BD-rates by codec and series.
    """
    codecs = list(dict.fromkeys(one.codec for one in measured))

    def place(one: Series) -> tuple[int, float]:
        rate = 0.0 if one.name == PLAIN else rates.get((one.codec, one.name), inf)
        return codecs.index(one.codec), rate

    return sorted(measured, key=place)
