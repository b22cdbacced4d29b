from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.study.bdrate import (
    Comparison,
    ResultsError,
    Rules,
    Series,
    compare_all,
    points_of,
    run_bdrate,
)
from support.measurements import as_given, asked

RATES = [0.1, 0.2, 0.4, 0.8]
RISING = [0.5, 0.6, 0.7, 0.8]
WAVERING = [0.5, 0.62, 0.6, 0.7]
DEAD_END = [0.9, 0.8, 0.7, 0.6]


def compared(
    *measured: Series, rules: Rules | None = None, resamples: int = 20
) -> list[Comparison]:
    return compare_all(measured, "anchor", rules or Rules(), resamples=resamples, seed=1)


def test_each_series_is_compared_with_the_anchor_of_its_codec() -> None:
    dearer = as_given([2 * rate for rate in RATES], RISING)
    first, second, third = compared(
        as_given(RATES, RISING),
        as_given([0.5 * rate for rate in RATES], RISING, "guided"),
        replace(dearer, codec="hevc"),
        replace(as_given(RATES, RISING, "guided"), codec="hevc"),
        replace(as_given(RATES, RISING, "guided"), codec="vvc"),
    )
    assert first.bd_rate == pytest.approx(-50)
    assert (first.overlap_low, first.overlap_high, first.overlap_share) == (0.5, 0.8, 1)
    assert (second.codec, second.bd_rate) == ("hevc", pytest.approx(-50))
    assert (third.bd_rate, third.notes) == (None, "the anchor was not measured with vvc")
    assert {first.ci_low, first.ci_high, first.ci_lost, first.other_accounting} == {None}


def test_what_was_left_out_or_pooled_is_told() -> None:
    curves = as_given(RATES, [0.5, 0.6, 0.6, 0.7]), as_given(RATES, WAVERING, "guided")
    (row,) = compared(*curves)
    assert (row.points, row.anchor_points) == (3, 3)
    assert row.notes == "left out: 2; of the anchor left out: 2"
    (row,) = compared(*curves, rules=Rules("isotonic"))
    assert row.notes == "pooled: 1, 2; of the anchor pooled: 1, 2"


def test_a_refusal_keeps_its_reason() -> None:
    (row,) = compared(as_given(RATES, RISING), as_given(RATES, DEAD_END, "guided"))
    assert row.bd_rate is None
    assert row.points == 1
    assert row.notes == "it has 1 of the 2 rising points that pchip takes; left out: 1, 2, 3"


def test_questions_bring_an_interval() -> None:
    anchor, test = (
        asked(name, factor=f, questions=200, difficulty=np.random.default_rng(0), seed=seed)
        for name, f, seed in (("anchor", 1, 1), ("guided", 0.6, 2))
    )
    (row,) = compared(anchor, test)
    assert row.questions == 200
    assert row.bd_rate is not None
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert row.ci_low < row.bd_rate < row.ci_high < 0
    assert row.ci_lost == 0
    (without,) = compared(anchor, test, resamples=0)
    assert (without.bd_rate, without.ci_low) == (row.bd_rate, None)
    others = replace(test, questions=("x", *test.questions[1:]))
    (refused,) = compared(anchor, others)
    assert refused.bd_rate is None
    assert refused.notes == (
        "other questions than the anchor's: only one of both has 2, e.g. q00000"
    )


def test_lost_draws_are_told() -> None:
    accuracy = np.zeros((20, 4))
    accuracy[0, 1:] = 1
    anchor = asked("anchor", factor=1, questions=20, difficulty=np.random.default_rng(0), seed=1)
    columns = {name: getattr(anchor, name)[:, :4] for name in ("bits", "pixels", "sent_pixels")}
    anchor = replace(anchor, accuracy=accuracy, qualities=tuple("1234"), **columns)
    (row,) = compared(anchor, replace(anchor, name="guided"), resamples=500)
    assert row.ci_lost == pytest.approx(0.95**20, abs=0.06)
    assert row.ci_lost is not None
    assert f"{100 * row.ci_lost:.1f} % of 500 draws have no BD-rate" in row.notes


def test_both_accountings_are_shown_where_they_differ() -> None:
    pair = as_given(RATES, RISING), as_given(RATES, RISING, "scaled up", area=1.25)
    (source,) = compared(*pair)
    assert (source.bd_rate, source.other_accounting) == (pytest.approx(0), pytest.approx(-20))
    (sent,) = compared(*pair, rules=Rules(accounting="sent"))
    assert (sent.bd_rate, sent.other_accounting) == (pytest.approx(-20), pytest.approx(0))
    point = points_of(pair, Rules())[-1]
    assert (point.bpp, point.bpp_sent) == (pytest.approx(0.8), pytest.approx(0.64))
    assert point.bytes == pytest.approx(10_000)
    (same,) = compared(pair[0], pair[0], replace(pair[0], name="b"), rules=Rules(accounting="sent"))
    assert same.notes == "every sent picture has its source's size: both accountings are the same"


def test_an_anchor_must_be_there_and_not_alone() -> None:
    with pytest.raises(ResultsError, match=r"no series has the anchor's name.*the table has b, c"):
        compared(as_given(RATES, WAVERING, "b"), as_given(RATES, WAVERING, "c"))
    with pytest.raises(ResultsError, match="nothing beside the anchor"):
        compared(as_given(RATES, WAVERING))


def test_a_run_writes_tables_charts_and_what_repeats_it(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    lines = ["series,codec,quality,bpp,accuracy"]
    for codec in ("jpeg", "VVC (slow)"):
        for name, factor in (("codec only", 1.0), ("guided", 0.75)):
            for quality, (rate, accuracy) in enumerate(zip(RATES, WAVERING, strict=True)):
                lines.append(f"{name},{codec},{quality},{factor * rate},{accuracy}")
    file.write_text("\n".join(lines), encoding="utf-8")
    heard: list[Comparison] = []
    outcome = run_bdrate(
        file, tmp_path / "out", rules=Rules("isotonic"), seed=7, on_comparison=heard.append
    )
    assert outcome.anchor == "codec only"
    assert outcome.comparisons == heard
    assert [one.bd_rate for one in heard] == [pytest.approx(-25)] * 2
    assert [chart.name for chart in outcome.charts] == [
        "curves-1-jpeg.png",
        "curves-2-vvc-slow.png",
    ]
    assert all(cv2.imread(str(chart)) is not None for chart in outcome.charts)
    with (tmp_path / "out/bdrate.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["codec"], row["bd_rate"], row["ci_low"]) for row in rows] == [
        ("jpeg", "-25", ""),
        ("VVC (slow)", "-25", ""),
    ]
    with (tmp_path / "out/points.csv").open(encoding="utf-8", newline="") as table:
        points = list(csv.DictReader(table))
    assert [point["treatment"] for point in points[:4]] == ["used", "pooled", "pooled", "used"]
    assert [point["bytes"] for point in points] == [""] * 16
    told = json.loads((tmp_path / "out/bdrate.json").read_text(encoding="utf-8"))
    assert told["settings"] == {
        "monotone": "isotonic",
        "interpolation": "pchip",
        "accounting": "source",
        "min_overlap": 0.25,
        "anchor": "codec only",
        "resamples": 1000,
        "seed": 7,
    }
    assert set(told["versions"]) >= {"edge-daemon", "bjontegaard"}
    assert told["comparisons"][0]["bd_rate"] == pytest.approx(-25)
    assert len(told["points"]) == 16
