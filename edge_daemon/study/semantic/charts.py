"""The study's charts, as PNG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from edge_daemon.charts import MARKERS, new_figure, save_figure
from edge_daemon.study.semantic.table import Length, Point, Step, means

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_charts(
    points: Sequence[Point], steps: Sequence[Step], lengths: Sequence[Length], folder: Path
) -> dict[str, str]:
    """Draw what there is to draw.

    Args:
        points: Rate against CLIPSim, and against the cosine of text and picture.
        steps: Best score over iterations.
        lengths: Bytes of text against gain.
        folder: Where to.

    Returns:
        Caption to the PNG file's name, in the order in which to show them.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    charts: dict[str, str] = {}
    for group in dict.fromkeys(point.group for point in points):
        name = group.replace(" ", "-")
        own = [point for point in points if point.group == group]
        shown = [point for point in own if point.clipsim is not None]
        if shown:
            charts[f"{group}: bytes against CLIPSim, each picture and the means"] = save_figure(
                _rate(shown, "clipsim", "CLIPSim (cosine of pictures)"), folder, f"rate-{name}"
            )
        told = [point for point in own if point.text_cosine is not None]
        if told:
            charts[f"{group}: bytes against the cosine of text and picture"] = save_figure(
                _rate(told, "text_cosine", "cosine of text and picture"), folder, f"text-{name}"
            )
        climbed = [step for step in steps if step.group == group]
        if climbed:
            charts[f"{group}: best score so far over iterations"] = save_figure(
                _climb(climbed), folder, f"iterations-{name}"
            )
        gained = [length for length in lengths if length.group == group]
        if gained:
            charts[f"{group}: length of the text against what refinement adds"] = save_figure(
                _gains(gained), folder, f"lengths-{name}"
            )
    return charts


def _rate(points: Sequence[Point], measure: str, words: str) -> Figure:
    figure, axes = new_figure()
    for marker, mean in zip(cycle(MARKERS), means(points), strict=False):
        own = [point for point in points if point.method == mean.method]
        level = getattr(mean, measure)
        (line,) = axes.plot(
            [mean.bytes], [level], marker, markersize=10, label=mean.method, zorder=3
        )
        axes.plot(
            [point.bytes for point in own],
            [getattr(point, measure) for point in own],
            marker,
            color=line.get_color(),
            alpha=0.25,
            markersize=4,
        )
    axes.set_xscale("log")
    axes.set_xlabel("bytes per picture (log scale)")
    axes.set_ylabel(words)
    axes.legend(fontsize="small")
    return figure


def _climb(steps: Sequence[Step]) -> Figure:
    figure, axes = new_figure()
    measure = " / ".join(dict.fromkeys(step.measure for step in steps))
    for method in dict.fromkeys(step.method for step in steps):
        own = [step for step in steps if step.method == method]
        by_picture: defaultdict[str, list[Step]] = defaultdict(list)
        by_iteration: defaultdict[int, list[float]] = defaultdict(list)
        for step in own:
            by_picture[step.picture].append(step)
            by_iteration[step.iteration].append(step.best)
        (line,) = axes.plot(
            list(by_iteration),
            [sum(best) / len(best) for best in by_iteration.values()],
            "-o",
            linewidth=3,
            label=f"{method}: mean of {len(by_picture)} pictures",
            zorder=3,
        )
        for trajectory in by_picture.values():
            axes.plot(
                [step.iteration for step in trajectory],
                [step.best for step in trajectory],
                color=line.get_color(),
                alpha=0.2,
            )
    axes.set_xticks(sorted({step.iteration for step in steps}))
    axes.set_xlabel("iteration")
    axes.set_ylabel(f"best {measure} so far")
    axes.legend(fontsize="small")
    return figure


def _gains(lengths: Sequence[Length]) -> Figure:
    figure, axes = new_figure()
    for method in dict.fromkeys(one.method for one in lengths):
        own = [one for one in lengths if one.method == method]
        (dots,) = axes.plot(
            [one.utf8_bytes for one in own], [one.gain for one in own], "o", alpha=0.3, markersize=4
        )
        limits = sorted({one.max_bytes for one in own})
        of_limit = [[one for one in own if one.max_bytes == limit] for limit in limits]
        axes.plot(
            [sum(one.utf8_bytes for one in some) / len(some) for some in of_limit],
            [sum(one.gain for one in some) / len(some) for some in of_limit],
            "-D",
            color=dots.get_color(),
            label=f"{method}: means at R = {', '.join(map(str, limits))}",
        )
    axes.set_xlabel("bytes of the text (UTF-8, before packing)")
    axes.set_ylabel(f"gain over the first iteration ({lengths[0].measure})")
    axes.legend(fontsize="small")
    return figure
