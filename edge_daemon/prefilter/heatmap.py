"""The report as a picture: what was kept and what was softened, laid over the source."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.report import Report

_LEAST_WIDTH: Final = 640
_MOST_WIDTH: Final = 1920
_MOST_HEIGHT: Final = 4096
_STRENGTH: Final = 0.55
"""Share of the colour in the overlay; the rest is the source in grey."""
_RELEVANCE_TOP: Final = 2.0
"""Relevance at the upper end of the scale. What lies above is drawn alike: it is all sharp."""
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_PAPER: Final = (24, 24, 28)


def draw_heatmap(
    image: NDArray[np.uint8],
    report: Report,
    *,
    quantity: Literal["sigma", "relevance"] | None = None,
) -> NDArray[np.uint8]:
    """Lay a map over the source, with a legend below and a box around the most relevant tile.

    Bright means kept, in both maps. Masked regions are the caller's to hide: pass the filtered
    picture instead of the source if they must not be seen.

    Args:
        image: uint8 (H, W, 3), the source (or, at the same size, the filtered picture).
        report: What the prefilter said of it.
        quantity: The smoothing in source pixels, or relevance in multiples of its mean; `None` for
            smoothing where there is any, and relevance where it is the codec that spends it.

    Returns:
        uint8 (h, w, 3) RGB, 640 to 1920 px wide (narrower only for pictures taller than that
        allows).
    """
    if quantity is None:
        quantity = "relevance" if report.allocation == "quantiser" else "sigma"
    width, height = _drawn_size(*report.source_size)
    enlarging = width > image.shape[1]
    interpolation = cv2.INTER_NEAREST if enlarging else cv2.INTER_AREA
    picture = cv2.resize(image, (width, height), interpolation=interpolation)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    brightness = cv2.resize(
        _brightness(report, quantity), (width, height), interpolation=cv2.INTER_LINEAR
    )
    overlay = cv2.addWeighted(
        _coloured(np.asarray(brightness, np.float32)), _STRENGTH, grey, 1.0 - _STRENGTH, 0.0
    )
    drawn = np.asarray(overlay, np.uint8)
    _draw_top_tile(drawn, report)
    legend = _legend(width, report, quantity)
    return np.concatenate([drawn, legend], axis=0)


def _drawn_size(width: int, height: int) -> tuple[int, int]:
    scale = min(max(1.0, _LEAST_WIDTH / width), _MOST_WIDTH / width, _MOST_HEIGHT / height)
    return max(_LEAST_WIDTH // 4, round(width * scale)), max(1, round(height * scale))


def _brightness(report: Report, quantity: str) -> NDArray[np.float32]:
    """0 where softened most, 1 where kept; any size."""
    if quantity == "relevance":
        return np.minimum(report.relevance_map / np.float32(_RELEVANCE_TOP), np.float32(1.0))
    lowest, highest = _scale(report)
    if highest <= lowest:
        return np.ones_like(report.sigma_map)
    kept = (highest - report.sigma_map) / (highest - lowest)
    return np.minimum(np.maximum(kept, 0.0), 1.0).astype(np.float32)


def _scale(report: Report) -> tuple[float, float]:
    """Sigma in source pixels at the scale's two ends, the sharp one first."""
    lowest, highest = report.sigma_range
    if report.mapping == "matched":
        # What is asked for is a bound that only a coarse codec comes near.
        highest = max(lowest, round(report.sigma.maximum, 4))
    return lowest, highest


def _coloured(brightness: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels = np.rint(np.clip(brightness, 0.0, 1.0) * 255.0).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), np.uint8)


def _draw_top_tile(drawn: NDArray[np.uint8], report: Report) -> None:
    top = report.top_tile()
    if top is None:
        return
    across = drawn.shape[1] / report.source_size[0]
    down = drawn.shape[0] / report.source_size[1]
    x, y, width, height = top.box
    thick = _thickness(drawn.shape[1])
    # Inside the picture, so that a tile at the border keeps all four sides.
    first = (round(x * across) + thick, round(y * down) + thick)
    last = (round((x + width) * across) - 1 - thick, round((y + height) * down) - 1 - thick)
    cv2.rectangle(drawn, first, last, _BLACK, thick + 2, cv2.LINE_AA)
    cv2.rectangle(drawn, first, last, _WHITE, thick, cv2.LINE_AA)
    label = f"r = {top.relevance:.1f}"
    size = _text_size(drawn.shape[1])
    (label_width, label_height), _ = cv2.getTextSize(label, _FONT, size, thick)
    pad = label_height // 2
    corner = (first[0] + label_width + 2 * pad, first[1] + label_height + 2 * pad)
    if corner[0] < last[0] and corner[1] < last[1]:
        cv2.rectangle(drawn, first, corner, _BLACK, cv2.FILLED)
        baseline = (first[0] + pad, first[1] + pad + label_height)
        cv2.putText(drawn, label, baseline, _FONT, size, _WHITE, thick, cv2.LINE_AA)


def _legend(width: int, report: Report, quantity: str) -> NDArray[np.uint8]:
    """Prompt, notice, and a scale with its unit."""
    size, thick = _text_size(width), _thickness(width)
    line = round(34 * size)
    lines = _captions(report)
    height = line * (len(lines) + 2) + line // 2
    legend = np.full((height, width, 3), _PAPER, np.uint8)
    margin = line // 2
    for i, text in enumerate(lines):
        _write(legend, text, (margin, line * (i + 1)), size, thick)
    top = line * len(lines) + line // 2
    bar = np.linspace(0.0, 1.0, max(2, width - 2 * margin), dtype=np.float32)
    legend[top : top + line // 2, margin : margin + len(bar)] = _coloured(bar[None, :])
    below = top + line // 2 + round(0.8 * line)
    left, middle, right = _ticks(report, quantity)
    _write(legend, left, (margin, below), size, thick)
    for text, share in ((middle, 0.5), (right, 1.0)):
        taken = cv2.getTextSize(text, _FONT, size, thick)[0][0]
        _write(legend, text, (round(margin + (len(bar) - taken) * share), below), size, thick)
    return legend


def _captions(report: Report) -> list[str]:
    texts = [prompt.text for prompt in report.prompts if prompt.text]
    captions = ["looked for: " + " | ".join(texts)] if texts else list(report.notes[:1])
    return [*captions, report.notice] if report.notice else captions


def _ticks(report: Report, quantity: str) -> tuple[str, str, str]:
    if quantity == "relevance":
        return "relevance r: 0", "1 = mean", f"{_RELEVANCE_TOP:g} and more"
    lowest, highest = _scale(report)
    return f"sigma: {highest:.3g} px (soft)", f"{(lowest + highest) / 2:.3g} px", f"{lowest:g} px"


def _write(
    canvas: NDArray[np.uint8], text: str, corner: tuple[int, int], size: float, thick: int
) -> None:
    # The font knows ASCII only.
    plain = text.encode("ascii", "replace").decode()
    room = canvas.shape[1] - corner[0]
    while plain and cv2.getTextSize(plain, _FONT, size, thick)[0][0] > room:
        plain = plain[: len(plain) * 9 // 10]
    cv2.putText(canvas, plain, corner, _FONT, size, _WHITE, thick, cv2.LINE_AA)


def _text_size(width: int) -> float:
    return max(0.45, width / 1600)


def _thickness(width: int) -> int:
    return max(1, round(width / 900))
