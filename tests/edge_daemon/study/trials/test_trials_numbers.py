from __future__ import annotations

import pytest

from edge_daemon.study.tasks.task import ACCURACY, Measure
from edge_daemon.study.trials.numbers import difference_of, judgement, percent, value_of

FOUND = Measure("found", "share of asked objects still found")
NOISE = Measure("psnr", "dB", is_share=False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-31.25, "−31.2 %"), (4.0, "+4.0 %"), (0.0, "0.0 %"), (-0.04, "0.0 %"), (1234.5, "+1234.5 %")],
)
def test_percentages_are_signed_unless_they_are_nothing(value: float, shown: str) -> None:
    assert percent(value) == shown


def test_shares_are_told_in_percent_and_other_measures_in_their_unit() -> None:
    assert (value_of(FOUND, 0.5), difference_of(FOUND, -0.012)) == ("50.0 %", "−1.2")
    assert (value_of(NOISE, 31.234), difference_of(NOISE, 1.5)) == ("31.234", "+1.500")


def test_one_answer_is_told_in_words() -> None:
    assert judgement(ACCURACY, 1.0) == "answered right"
    assert judgement(ACCURACY, 0.0) == "answered wrong"
    assert judgement(FOUND, 0.5) == "found 50.0 %"
    assert judgement(NOISE, 31.234) == "psnr 31.234"
    assert judgement(NOISE, None) == "psnr: nothing to judge"
