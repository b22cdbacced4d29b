"""Where a frame's time goes: stacked bars, a chart for each bundle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edge_daemon.bench.latency.stages import STAGES, StageTimes
from edge_daemon.charts import new_figure, save_figure


def draw_stages(times: Sequence[StageTimes], folder: Path) -> list[str]:
    """Draw the medians of each bundle's stages, a bar for each size and codec.

    Args:
        times: Of all bundles; may be empty.
        folder: Where to.

    Returns:
        Names of the PNG files, in the order of the bundles.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    bundles = dict.fromkeys(one.bundle for one in times)
    return [_chart([one for one in times if one.bundle == bundle], folder) for bundle in bundles]


def _chart(times: Sequence[StageTimes], folder: Path) -> str:
    figure, axes = new_figure()
    labels = [f"{one.size} {one.codec['id']}" for one in times]
    left = [0.0] * len(times)
    for stage in STAGES:
        widths = [one.stages[stage].p50 for one in times]
        axes.barh(labels, widths, left=left, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, end in enumerate(left):
        axes.text(end, row, f" {end:.0f}", va="center", fontsize="x-small")
    axes.set_axisbelow(True)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set_title(f"{times[0].bundle}: a frame's stages, medians of {times[0].total.count}")
    axes.set_xlabel("milliseconds, library, one frame at a time")
    axes.legend(fontsize="small")
    slug = re.sub(r"[^A-Za-z0-9]+", "-", times[0].bundle).strip("-").lower()
    return save_figure(figure, folder, f"stages-{slug}")
