"""Figures without a display: what all charts begin and end with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_daemon.errors import UnsupportedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS: Final = "osD^vP*X<>ph"
"""matplotlib's markers that stay apart in grey; to be cycled."""
_INCHES: Final = (8.0, 5.0)
_DPI: Final = 120


def new_figure() -> tuple[Figure, Axes]:
    """An empty chart with a grid.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    except ImportError as missing:
        raise UnsupportedError(
            "charts need matplotlib, which is not installed",
            value=missing.name,
            remedy="install the extra: pip install 'edge-daemon[study]'",
        ) from missing
    figure = Canvas(figsize=_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, folder: Path, name: str) -> str:
    """Write a chart as PNG; returns the file's name."""
    file = f"{name}.png"
    figure.savefig(folder / file, dpi=_DPI)
    return file
