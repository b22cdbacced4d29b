"""Signs with words on them, in colours that have names."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_Range = tuple[float, float]

COLOURS: Final[dict[str, tuple[_Range, _Range, _Range]]] = {
    "red": ((350, 366), (0.75, 1.0), (0.6, 0.85)),
    "blue": ((210, 230), (0.75, 1.0), (0.5, 0.8)),
    "yellow": ((48, 58), (0.85, 1.0), (0.9, 1.0)),
    "green": ((125, 150), (0.7, 1.0), (0.35, 0.6)),
    "white": ((0, 360), (0.0, 0.04), (0.93, 1.0)),
    "brown": ((18, 28), (0.6, 0.8), (0.3, 0.45)),
    "orange": ((24, 34), (0.9, 1.0), (0.9, 1.0)),
}
"""Ranges of hue in degrees, saturation and value that are called by each name."""

# fmt: off
WORDS: Final = (
    "BAKERY", "HOTEL", "MUSEUM", "LIBRARY", "STATION", "HARBOUR", "CHEMIST", "SCHOOL", "THEATRE",
    "GARDEN", "BRIDGE", "MARKET", "CASTLE", "FERRY", "CINEMA", "POTTER", "BUTCHER", "TAILOR",
    "FLORIST", "DENTIST", "BARBER", "GARAGE", "PARKING", "HOSPITAL", "AIRPORT", "CHURCH",
    "STADIUM", "GALLERY", "TAVERN", "OFFICE", "KITCHEN", "SADDLER",
)
# fmt: on

_FINER: Final = 4
"""Signs are drawn so many times as large as their letters need, and then reduced."""
_LETTER_PX: Final = 24 * _FINER
_MARGIN_PX: Final = 12 * _FINER
_RIM_AT_PX: Final = 3 * _FINER
_RIM_PX: Final = 6

RIM: Final = 0.045
"""What the rim takes of a sign at each edge, as a share of its width; no sign's rim takes more."""


def draw_text(rng: np.random.Generator) -> str:
    """A word and a number of two digits, which no dictionary can guess."""
    return f"{rng.choice(WORDS)} {rng.integers(10, 100)}"


def draw_sign(rng: np.random.Generator, colour: str, text: str, width: int) -> NDArray[np.float32]:
    """A sign with a rim and one line of text.

    Args:
        rng: Decides the shade.
        colour: One of `COLOURS`.
        text: To be written.
        width: In pixels; the height follows from the text.

    Returns:
        float32 (height, width, 3), levels 0 to 255.
    """
    hue, saturation, value = (float(rng.uniform(*part)) for part in COLOURS[colour])
    board = tuple(
        round(255 * part) for part in colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    )
    bright = 0.299 * board[0] + 0.587 * board[1] + 0.114 * board[2] > 140
    ink = (20, 20, 20) if bright else (248, 248, 248)
    left, _, right, _ = _font().getbbox(text)
    size = (round(right - left) + 2 * _MARGIN_PX, _LETTER_PX + 2 * _MARGIN_PX)
    large = Image.new("RGB", size, board)
    pen = ImageDraw.Draw(large)
    rim = (_RIM_AT_PX, _RIM_AT_PX, size[0] - _RIM_AT_PX, size[1] - _RIM_AT_PX)
    pen.rectangle(rim, outline=ink, width=_RIM_PX)
    middle = (size[0] / 2, size[1] / 2)
    pen.text(middle, text, fill=ink, font=_font(), anchor="mm", stroke_width=1, stroke_fill=ink)
    reduced = (width, round(size[1] * width / size[0]))
    sign = cv2.resize(np.asarray(large, np.float32), reduced, interpolation=cv2.INTER_AREA)
    return sign.astype(np.float32)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The one that Pillow brings along."""
    font = ImageFont.load_default(size=_LETTER_PX)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
