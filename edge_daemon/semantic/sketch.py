"""What the prefilter knows of a picture, as text: the last resort of a frame that must fit.

No language model and no generator: what was asked, and where the bundle found something like it.
It is less than a picture and more than nothing, and says itself what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # A cloud reads texts without a prefilter.
    from edge_daemon.prefilter import Report
    from edge_daemon.prefilter.report import TileScore

TEXT_CODEC: Final[dict[str, Any]] = {"id": "text"}
"""Stands where a picture's codec would: the bitstream is UTF-8 text."""

_PLACES: Final = 3
"""Most tiles that are named."""


def sketch(report: Report) -> str:
    """A picture's account in words, some hundred bytes.

    Args:
        report: Of a picture that was scored.

    Returns:
        What was looked for, the picture's size, and the places that are most like it: boxes in
        pixels of the source, relevance in multiples of its mean.
    """
    width, height = report.source_size
    asked = "; ".join(dict.fromkeys(prompt.text for prompt in report.prompts if prompt.text))
    best = sorted(report.tiles, key=lambda tile: tile.relevance, reverse=True)
    places = [_place(tile) for tile in best[:_PLACES] if tile.relevance >= 1.0]
    lines = [
        f"No picture fitted the link. Looked for: {asked or 'nothing in particular'}.",
        f"In a picture of {width}x{height} pixels, "
        + (f"most like it: {'; '.join(places)}." if places else "no place stood out."),
        f"Judged by {report.bundle}{f' ({report.notice})' if report.notice else ''}.",
    ]
    return "\n".join(lines)


def _place(tile: TileScore) -> str:
    x, y, width, height = tile.box
    return f"{width}x{height} at ({x}, {y}), relevance {tile.relevance:.1f}"
