from __future__ import annotations

from edge_daemon.study.bdrate import Comparison, Point
from edge_daemon.study.tasks.task import ACCURACY, Measure
from edge_daemon.study.trials.best import AtBest
from edge_daemon.study.trials.tables import (
    at_best_table,
    bd_rate_table,
    comparisons_table,
    description_of,
    points_table,
)
from support.html_reading import Html

NOISE = Measure("psnr", "dB", is_share=False)


def test_a_cell_has_rate_interval_and_both_accountings() -> None:
    html = Html(
        bd_rate_table(
            [
                Comparison(
                    "jpeg", "prefilter", "plain", -31.24, -35.0, -27.12, 0.0, questions=1200
                ),
                Comparison("hevc", "prefilter", "plain", 4.04, 1.0, 7.0, 0.04, questions=1200),
                Comparison("jpeg", "downsample:2", "plain", 12.0, -1.0, 25.0, 0.25, -70.5),
                Comparison("hevc", "downsample:2", "plain", -0.04),
            ],
            ["prefilter", "downsample:2"],
            "plain",
        )
    )
    head, ours, smaller = html.rows
    assert head == ["method", "jpeg", "hevc"]
    assert ours[0] == "prefilter ours"
    assert ours[1:] == ["−31.2 % −35.0 to −27.1", "+4.0 % +1.0 to +7.0"]
    assert smaller[1:] == ["+12.0 % −1.0 to +25.0 1 per sent pixel: −70.5 %", "0.0 %"]
    assert [one for one in html.attributes("class") if one in ("less", "more")] == ["less", "more"]
    assert html.text.endswith(
        "25.0 % of the draws of questions have no BD-rate; the interval is of the others"
    )
    assert "95 % interval over 0 or 1,200 questions" in html.text


def test_what_has_no_figure_has_a_footnote_with_the_reason() -> None:
    html = Html(
        bd_rate_table(
            [
                Comparison(
                    "jpeg", "random", "plain", notes="no accuracy is reached by both; left out: 1"
                ),
                Comparison("hevc", "random", "plain", notes="it has <1> point"),
                Comparison("jpeg", "quantiser", "plain", notes="no accuracy is reached by both"),
            ],
            ["random", "quantiser"],
            "plain",
        )
    )
    _, random, quantiser = html.rows
    assert (random[1:], quantiser[1:]) == (["– 1", "– 2"], ["– 1", "– 3"])
    assert html.text.endswith(
        "no accuracy is reached by both it has <1> point not measured; what was left out says why"
    )
    assert html.attributes("title")[1] == "it has <1> point"


def test_a_figure_without_an_interval_says_why() -> None:
    few = Comparison("jpeg", "random", "plain", -12.0, ci_lost=0.625, questions=24)
    html = Html(bd_rate_table([few], ["random"], "plain"))
    assert html.rows[1][1] == "−12.0 % no interval 1"
    assert html.text.endswith("62.5 % of the draws of questions have no BD-rate")


def test_the_best_quality_is_told_with_the_difference_in_points() -> None:
    html = Html(
        at_best_table(
            ACCURACY,
            [
                AtBest("jpeg", "plain", "90", 1000, 0.931, 0.0, 0.0, 0.0),
                AtBest("jpeg", "prefilter", "90", 1000, 0.926, -0.005, -0.012, 0.002),
            ],
            ["plain", "prefilter", "oracle"],
            "plain",
        )
    )
    head, plain, ours, oracle = html.rows
    assert head[1] == "jpeg, quality 90"
    assert plain[1] == "93.1 %"
    assert ours[1] == "92.6 % −0.5 (−1.2 to +0.2)"
    assert oracle[1] == "– 1"
    assert "mean over 1,000 questions; below it the difference to plain in percentage" in html.text


def test_what_is_no_share_keeps_its_own_unit() -> None:
    best = [
        AtBest("jpeg", "plain", "90", 10, 41.0, 0.0, 0.0, 0.0),
        AtBest("jpeg", "prefilter", "90", 10, 40.5, -0.5, -1.25, 0.25),
    ]
    html = Html(at_best_table(NOISE, best, ["plain", "prefilter"], "plain"))
    assert html.rows[1][1] == "41.000"
    assert html.rows[2][1] == "40.500 −0.500 (−1.250 to +0.250)"
    assert "psnr (dB) at the best quality" in html.text


def test_every_point_and_comparison_is_there_with_its_treatment() -> None:
    points = [
        Point("jpeg", "plain", "50", 9, 12_345.6, 0.5, 0.5, 0.75, "used"),
        Point("jpeg", "x<y", "50", 9, None, 0.25, 1.0, 0.5, "left out"),
    ]
    _, plain, other = Html(points_table(ACCURACY, points)).rows
    assert plain == ["plain", "jpeg", "50", "12,346", "0.5000", "0.5000", "75.0 %", "used"]
    assert other == ["x<y", "jpeg", "50", "–", "0.2500", "1.0000", "50.0 %", "left out"]
    known = Comparison(
        "jpeg",
        "x<y",
        "plain",
        -8.0,
        overlap_low=0.5,
        overlap_high=0.75,
        overlap_share=0.8,
        points=4,
        anchor_points=5,
        notes="left out: 50",
    )
    unknown = Comparison("hevc", "x<y", "plain", notes="none & nothing")
    _, first, second = Html(comparisons_table([known, unknown])).rows
    assert first == ["x<y", "jpeg", "−8.0", "0.5 … 0.75 (80 %)", "4 / 5", "left out: 50"]
    assert second == ["x<y", "hevc", "–", "–", "0 / 0", "none & nothing"]


def test_a_parameter_does_not_hide_what_a_method_is() -> None:
    assert description_of("gaussian:1.5") == description_of("gaussian") != ""
