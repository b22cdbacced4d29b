"""Curves of trials that pair, and the tables that are made of them."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.study.bdrate import ResultsError, Rules, compare_all, read_results
from edge_daemon.study.tasks.task import ACCURACY, Measure
from edge_daemon.study.trials import Failure, TaskOutcome, Trial, compare_methods, series_of
from edge_daemon.study.trials.csv_tables import Summary, summaries, write_tables
from edge_daemon.study.trials.series import paired

FIDELITY = Measure("fidelity", "dB", is_share=False)
RULES = Rules()


def trial(question: int, method: str, codec: str, quality: float) -> Trial:
    """Right from quality 2 + question % 4 on; "ours" takes 0.7 of the bytes, "small" a quarter."""
    share, area = {"plain": (1.0, 1), "ours": (0.7, 1), "small": (0.25, 4)}[method]
    size = round(1000 * share * 2**quality * (1 + question / 10))
    values = (float(quality >= 2 + question % 4), 20 + 3 * quality + question / 10)
    return Trial(f"q{question:02}", method, codec, quality, size, 40_000, 40_000 // area, values)


def outcome_of(
    trials: Iterable[Trial], methods: Sequence[str], codecs: Sequence[str] = ("jpeg",)
) -> TaskOutcome:
    measures = (ACCURACY, FIDELITY)
    return TaskOutcome("made", measures, (*methods,), (*codecs,), 20, [*trials], [], [])


@pytest.fixture
def outcome() -> TaskOutcome:
    """20 questions, three methods, two codecs, five qualities."""
    return outcome_of(
        (
            trial(question, method, codec, quality)
            for question in range(20)
            for codec in ("jpeg", "hevc")
            for method in ("plain", "ours", "small")
            for quality in range(1, 6)
        ),
        ("plain", "ours", "small"),
        ("jpeg", "hevc"),
    )


def without(outcome: TaskOutcome, drop: Callable[[Trial], bool]) -> TaskOutcome:
    return replace(outcome, trials=[one for one in outcome.trials if not drop(one)])


def changed(outcome: TaskOutcome, change: Callable[[Trial], Trial]) -> TaskOutcome:
    return replace(outcome, trials=[change(one) for one in outcome.trials])


def test_series_are_what_was_tried(outcome: TaskOutcome) -> None:
    series = series_of(outcome, FIDELITY)
    assert [(one.codec, one.name) for one in series] == [
        (codec, method) for codec in ("jpeg", "hevc") for method in ("plain", "ours", "small")
    ]
    one = series[2]
    assert one.qualities == ("1", "2", "3", "4", "5")
    assert one.questions == tuple(f"q{number:02}" for number in range(20))
    first = trial(7, "small", "jpeg", 3)
    assert one.bits[7, 2] == 8 * first.bytes
    assert (one.pixels[7, 2], one.sent_pixels[7, 2]) == (40_000, 10_000)
    assert one.accuracy[7, 2] == first.values[1]
    assert one.has_bytes
    assert one.resized
    assert series_of(outcome, ACCURACY)[0].accuracy.mean(axis=0).tolist() == [
        *(0, 0.25, 0.5, 0.75, 1)
    ]


def test_the_order_of_trials_does_not_matter(outcome: TaskOutcome) -> None:
    mixed = list(outcome.trials)
    random.Random(0).shuffle(mixed)
    for one, other in zip(
        series_of(outcome, FIDELITY),
        series_of(replace(outcome, trials=mixed), FIDELITY),
        strict=True,
    ):
        assert (one.name, one.codec, one.qualities) == (other.name, other.codec, other.qualities)
        assert np.array_equal(one.bits, other.bits)
        assert np.array_equal(one.accuracy, other.accuracy)


def test_a_question_with_a_gap_counts_for_no_method_of_its_codec(outcome: TaskOutcome) -> None:
    gap = ("q03", "ours", "jpeg", 2.0)
    found = series_of(without(outcome, lambda one: (one.question, *one.sending) == gap), ACCURACY)
    for one in found:
        assert ("q03" in one.questions) == (one.codec == "hevc")
        assert len(one.questions) == (20 if one.codec == "hevc" else 19)


def test_an_interrupted_run_can_be_told(outcome: TaskOutcome) -> None:
    early = without(outcome, lambda one: one.question > "q08")
    halfway = without(early, lambda one: one.question == "q08" and one.codec == "hevc")
    counts = {one.codec: len(one.questions) for one in series_of(halfway, ACCURACY)}
    assert counts == {"jpeg": 9, "hevc": 8}
    assert series_of(replace(outcome, trials=[]), ACCURACY) == []


def test_a_question_with_nothing_to_judge_counts_nowhere_in_that_measure(
    outcome: TaskOutcome,
) -> None:
    def unjudged(one: Trial) -> Trial:
        hit = one.question == "q05" and one.method == "ours" and one.quality == 4
        return replace(one, values=(one.values[0], None)) if hit else one

    partly = changed(outcome, unjudged)
    assert {len(one.questions) for one in series_of(partly, FIDELITY)} == {19}
    assert {len(one.questions) for one in series_of(partly, ACCURACY)} == {20}
    assert len(paired(partly, "jpeg").rows) == 20
    summary = summaries(partly)[0]
    assert summary.questions == 20
    judged = [23 + number / 10 for number in range(20) if number != 5]
    assert summary.means == (0.0, pytest.approx(sum(judged) / 19))


def test_a_measure_without_values_has_no_mean(outcome: TaskOutcome) -> None:
    blind = changed(outcome, lambda one: replace(one, values=(one.values[0], None)))
    assert series_of(blind, FIDELITY) == []
    assert compare_methods(series_of(blind, FIDELITY), RULES, resamples=0, seed=1) == []
    assert {one.means[1] for one in summaries(blind)} == {None}


def test_bd_rates_are_those_of_the_true_factor(outcome: TaskOutcome) -> None:
    for measure in outcome.measures:
        found = compare_methods(series_of(outcome, measure), RULES, resamples=50, seed=1)
        assert [(one.codec, one.series) for one in found] == [
            *(("jpeg", "ours"), ("jpeg", "small"), ("hevc", "ours"), ("hevc", "small"))
        ]
        assert [one.bd_rate for one in found] == pytest.approx([-30, -75, -30, -75], abs=0.05)
        assert found[1].other_accounting == pytest.approx(0, abs=0.1)
        assert all(one.ci_low is not None and one.questions == 20 for one in found)


def test_without_another_method_there_is_nothing_to_compare(outcome: TaskOutcome) -> None:
    alone = without(outcome, lambda one: one.method != "plain")
    assert compare_methods(series_of(alone, ACCURACY), RULES, resamples=0, seed=1) == []
    others = without(outcome, lambda one: one.method == "plain")
    with pytest.raises(ResultsError, match="no series has the anchor's name"):
        compare_methods(series_of(others, ACCURACY), RULES, resamples=0, seed=1)


def test_results_are_what_bdrate_reads(outcome: TaskOutcome, tmp_path: Path) -> None:
    partly = without(outcome, lambda one: one.question == "q03" and one.codec == "jpeg")
    write_tables(partly, tmp_path)
    assert not (tmp_path / "results-made-fidelity.csv").exists()
    read = read_results(tmp_path / "results-made-accuracy.csv")
    for one, other in zip(read, series_of(partly, ACCURACY), strict=True):
        assert (one.name, one.codec, one.qualities, one.questions) == (
            *(other.name, other.codec, other.qualities, other.questions),
        )
        for field in ("bits", "pixels", "sent_pixels", "accuracy"):
            assert np.array_equal(getattr(one, field), getattr(other, field))
    assert compare_all(read, "plain", RULES, resamples=20, seed=1) == compare_methods(
        series_of(partly, ACCURACY), RULES, resamples=20, seed=1
    )


def test_summaries_count_bits_over_pixels(tmp_path: Path) -> None:
    sizes = {"a": (1000, 10_000, 2500), "b": (4000, 50_000, 12_500)}
    trials = [
        Trial(question, "small", "jpeg", 30.0, size, pixels, sent, (float(question == "a"), 31.5))
        for question, (size, pixels, sent) in sizes.items()
    ]
    outcome = replace(
        outcome_of(trials, ["small"]),
        failures=[Failure("c", "bad_pixels", "its 'pixels', are bad")],
    )
    assert summaries(outcome) == [
        Summary(
            *("small", "jpeg", 30.0, 2, 2500.0, 40_000 / 60_000, 40_000 / 15_000), means=(0.5, 31.5)
        )
    ]
    write_tables(outcome, tmp_path)
    assert rows(tmp_path / "summary-made.csv") == [
        [
            *("method", "codec", "quality", "questions", "bytes", "bpp", "bpp_sent"),
            *("accuracy", "fidelity"),
        ],
        ["small", "jpeg", "30", "2", "2500", "0.666667", "2.66667", "0.5", "31.5"],
    ]
    assert rows(tmp_path / "trials-made.csv")[:2] == [
        [
            *("question", "method", "codec", "quality", "bytes", "pixels", "sent_pixels"),
            *("accuracy", "fidelity"),
        ],
        ["a", "small", "jpeg", "30", "1000", "10000", "2500", "1", "31.5"],
    ]
    assert rows(tmp_path / "failures-made.csv")[1] == ["c", "bad_pixels", "its 'pixels', are bad"]


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))
