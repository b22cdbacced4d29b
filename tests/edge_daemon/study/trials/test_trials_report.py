from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2

from edge_daemon.study.bdrate import Comparison, Rules, Series, compare_all
from edge_daemon.study.tasks.task import ACCURACY
from edge_daemon.study.trials.report import MeasureReport, by_bd_rate, ranked, report_measure
from support.measurements import as_given

RATES = [0.1, 0.2, 0.4, 0.8]
RISING = [0.5, 0.6, 0.7, 0.8]


def measured(*names: str) -> list[Series]:
    """The n-th of some series takes n times the rate of the first."""
    return [
        as_given([times * rate for rate in RATES], RISING, name)
        for times, name in enumerate(names, 1)
    ]


def reported(series: list[Series], folder: Path) -> MeasureReport:
    rules = Rules()
    comparisons = compare_all(series, "plain", rules, resamples=0, seed=1)
    return report_measure(ACCURACY, series, comparisons, rules, folder, task="blobs")


def test_a_measure_has_all_that_a_page_shows(tmp_path: Path) -> None:
    series = measured("plain", "prefilter", "oracle")
    told = reported([*series, *(replace(one, codec="hevc") for one in series)], tmp_path)
    assert [round(one.bd_rate or 0) for one in told.comparisons] == [100, 200, 100, 200]
    assert len(told.points) == 2 * 3 * 4
    assert len(told.at_best) == 2 * 3
    assert dict(told.charts) == {
        "jpeg": "blobs-accuracy-1-jpeg.png",
        "hevc": "blobs-accuracy-2-hevc.png",
    }
    assert all(cv2.imread(str(tmp_path / file)) is not None for file in told.charts.values())


def test_many_curves_get_a_wider_chart(tmp_path: Path) -> None:
    names = [f"method-{number}" for number in range(16)]
    few = reported(measured("plain", *names[:2]), tmp_path)
    narrow = cv2.imread(str(tmp_path / few.charts["jpeg"]))
    many = reported(measured("plain", *names), tmp_path)
    wide = cv2.imread(str(tmp_path / many.charts["jpeg"]))
    assert narrow is not None
    assert wide is not None
    assert narrow.shape[1] < wide.shape[1] == 1200


def test_methods_are_ranked_by_their_mean_over_codecs() -> None:
    def comparison(codec: str, series: str, rate: float | None) -> Comparison:
        return Comparison(codec, series, "plain", rate)

    assert ranked(
        [
            comparison("jpeg", "none", None),
            comparison("jpeg", "steady", -10.0),
            comparison("jpeg", "wavering", -30.0),
            comparison("hevc", "steady", -12.0),
            comparison("hevc", "wavering", 10.0),
            comparison("hevc", "once", -11.5),
        ]
    ) == ["once", "steady", "wavering", "none"]


def test_legends_begin_with_the_lowest_rate_and_keep_codecs_together() -> None:
    of_jpeg = measured("plain", "dear", "cheap", "unknown")
    of_hevc = [replace(one, codec="hevc") for one in measured("cheap", "plain")]
    rates = {("jpeg", "dear"): 8.0, ("jpeg", "cheap"): -9.0, ("hevc", "cheap"): 3.0}
    assert [(one.codec, one.name) for one in by_bd_rate([*of_jpeg, *of_hevc], rates)] == [
        ("jpeg", "cheap"),
        ("jpeg", "plain"),
        ("jpeg", "dear"),
        ("jpeg", "unknown"),
        ("hevc", "plain"),
        ("hevc", "cheap"),
    ]
