from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from edge_daemon.prefilter import Prefilter, Report
from edge_daemon.prefilter.report import TileScore
from edge_daemon.service import relevance_summary
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    prefilter = Prefilter.from_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle")))
    return prefilter(np.full((300, 500, 3), 90, np.uint8), "the red car")[1]


def on_grid(report: Report, columns: int, rows: int) -> tuple[Report, Any]:
    relevance = np.random.default_rng(columns).random((rows, columns))
    tiles = tuple(TileScore((0, 0, 1, 1), (0.0,), (float(r),)) for r in relevance.ravel())
    return replace(report, grid=(columns, rows), tiles=tiles), relevance


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (8, 5), (32, 16), (512, 1)])
def test_every_tile_is_told_up_to_512(report: Report, columns: int, rows: int) -> None:
    changed, relevance = on_grid(report, columns, rows)
    told = relevance_summary(changed)
    assert told["grid"] == [columns, rows]
    assert told["relevances"] == [round(float(r), 2) for r in relevance.ravel()]


@pytest.mark.parametrize(("columns", "rows"), [(513, 1), (63, 35), (7, 2200), (100, 100)])
def test_of_more_the_most_relevant_in_each_group_is_told(
    report: Report, columns: int, rows: int
) -> None:
    changed, relevance = on_grid(report, columns, rows)
    told = relevance_summary(changed)
    across, down = cast("list[int]", told["grid"])
    assert 100 < across * down <= 512
    group = -(-columns // across) if columns > 1 else -(-rows // down)
    seen = np.asarray(told["relevances"]).reshape(down, across)
    for y in range(down):
        for x in range(across):
            part = relevance[y * group : (y + 1) * group, x * group : (x + 1) * group]
            assert seen[y, x] == pytest.approx(part.max(), abs=0.005)


def test_a_picture_that_is_not_scored_has_no_grid(report: Report) -> None:
    told = relevance_summary(replace(report, grid=(0, 0), tiles=()))
    assert (told["grid"], told["relevances"]) == ([0, 0], [])
