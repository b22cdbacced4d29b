"""Things drawn in code, named by their colour: plain shapes, and signs that carry words."""

from __future__ import annotations

import colorsys
import math
from itertools import product

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from export.nano.concepts import Concept
from export.nano.pixels import Pixels

_Colour = tuple[int, int, int]
_Points = list[tuple[float, float]]

_CANVAS = 256

_COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-8, 8), (0.75, 1), (0.7, 1)),
    "orange": ((22, 34), (0.85, 1), (0.9, 1)),
    "yellow": ((48, 58), (0.75, 1), (0.9, 1)),
    "green": ((95, 150), (0.6, 1), (0.45, 0.85)),
    "blue": ((200, 230), (0.65, 1), (0.6, 1)),
    "purple": ((268, 290), (0.5, 0.9), (0.45, 0.85)),
    "pink": ((320, 345), (0.3, 0.55), (0.95, 1)),
    "brown": ((18, 30), (0.55, 0.8), (0.35, 0.55)),
    "black": ((0, 360), (0, 0.2), (0.03, 0.17)),
    "white": ((0, 360), (0, 0.05), (0.94, 1)),
    "grey": ((0, 360), (0, 0.06), (0.4, 0.68)),
}
"""Ranges of hue in degrees, saturation and value that are called by each name."""

_SHAPES = ("circle", "square", "triangle", "star", "diamond", "cross")
_SIGN_COLOURS = ("red", "blue", "yellow", "green", "orange", "white", "brown")
_SIGN_FORMS = ("circle", "octagon", "wide", "wide", "diamond", "triangle")
_WORDS = [
    "STOP",
    "EXIT",
    "SALE",
    "OPEN",
    "BUS",
    "TAXI",
    "SLOW",
    "YIELD",
    "PARK",
    "ZONE",
    "HOTEL",
    "CAFE",
    "BAR",
    "SHOP",
    "WC",
    "ONE",
    "WAY",
    "NO",
    "ENTRY",
    "DANGER",
    "KEEP",
    "OUT",
    "PUSH",
    "PULL",
    "MAIN",
    "ST",
    "30",
    "50",
    "80",
    "12",
    "A4",
    "E65",
    "GATE",
    "NORTH",
    "CITY",
    "MUSEUM",
    "LIFT",
    "FIRE",
]


def drawn_concepts() -> list[Concept]:
    """All drawn things: every colour of every shape, then the signs by colour."""
    shapes = [
        Concept(f"{colour} {shape}", (f"{shape} in {colour}",))
        for colour, shape in product(_COLOURS, _SHAPES)
    ]
    signs = [
        Concept(f"{colour} sign", (f"{colour} street sign", f"{colour} signboard"))
        for colour in _SIGN_COLOURS
    ]
    return shapes + signs


def _colour(name: str, rng: np.random.Generator) -> _Colour:
    (hue_low, hue_high), saturation, value = _COLOURS[name]
    hue = rng.uniform(hue_low, hue_high) % 360 / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(*saturation), rng.uniform(*value))
    return round(red * 255), round(green * 255), round(blue * 255)


def _polygon(corners: int, turn: float, radius: float) -> _Points:
    middle = _CANVAS / 2
    return [
        (
            middle + radius * math.cos(turn + 2 * math.pi * corner / corners),
            middle + radius * math.sin(turn + 2 * math.pi * corner / corners),
        )
        for corner in range(corners)
    ]


def _outline(form: str, rng: np.random.Generator) -> _Points:
    """Corners of a form that nearly fills the canvas; a circle has many."""
    middle, radius = _CANVAS / 2, _CANVAS * 0.44
    if form == "circle":
        return _polygon(72, 0, radius)
    if form == "octagon":
        return _polygon(8, math.pi / 8, radius)
    if form == "diamond":
        return _polygon(4, 0, radius)
    if form == "triangle":
        return _polygon(3, -math.pi / 2, radius)
    if form == "square":
        return _polygon(4, math.pi / 4, radius * 1.25)
    if form == "wide":
        half = radius * rng.uniform(0.35, 0.75)
        left, right = middle - radius, middle + radius
        top, bottom = middle - half, middle + half
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    if form == "star":
        outer = _polygon(5, -math.pi / 2, radius)
        inner = _polygon(5, -math.pi / 2 + math.pi / 5, radius * rng.uniform(0.38, 0.5))
        return [point for pair in zip(outer, inner, strict=True) for point in pair]
    arm = radius * rng.uniform(0.28, 0.4)
    steps = (
        (-arm, -radius),
        (arm, -radius),
        (arm, -arm),
        (radius, -arm),
        (radius, arm),
        (arm, arm),
    )
    half_cross = [(middle + x, middle + y) for x, y in steps]
    return half_cross + [(_CANVAS - x, _CANVAS - y) for x, y in half_cross]


def _draw_shape(name: str, rng: np.random.Generator) -> Image.Image:
    colour, form = name.split()
    picture = Image.new("RGBA", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(picture)
    points = _outline(form, rng)
    fill = _colour(colour, rng)
    pen.polygon(points, fill=fill)
    edge = rng.random()
    if edge < 0.45:  # a bit less than half of all shapes have a rim
        rim = (20, 20, 20) if edge < 0.25 and colour != "black" else (245, 245, 245)
        width = int(rng.integers(4, 14))
        pen.line([*points, points[0], points[1]], fill=rim, width=width, joint="curve")
    return picture


def _draw_sign(name: str, rng: np.random.Generator) -> Image.Image:
    colour = name.split(maxsplit=1)[0]
    board = _colour(colour, rng)
    picture = Image.new("RGBA", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(picture)
    points = _outline(str(rng.choice(_SIGN_FORMS)), rng)
    if rng.random() < 0.4:  # four signs in ten stand on a pole
        points = [(x, y * 0.68) for x, y in points]
        middle = _CANVAS / 2
        pen.rectangle((middle - 7, 80, middle + 7, _CANVAS - 2), fill=(120, 120, 125))
    pen.polygon(points, fill=board)
    bright = 0.299 * board[0] + 0.587 * board[1] + 0.114 * board[2] > 140
    ink: _Colour = (15, 15, 15) if bright else (250, 250, 250)
    if rng.random() < 0.7:  # most signs have a rim
        centre = np.mean(points, axis=0)
        rim = [tuple(centre + (np.array(point) - centre) * 0.92) for point in points]
        pen.line([*rim, rim[0], rim[1]], fill=ink, width=int(rng.integers(3, 9)), joint="curve")
    lines = [str(word) for word in rng.choice(_WORDS, int(rng.integers(1, 3)))]
    text = "\n".join(lines)
    width = max(x for x, _ in points) - min(x for x, _ in points)
    size = min(0.9 * width / max(map(len, lines)), 0.42 * width / len(lines))
    font = ImageFont.load_default(size=max(size, 16.0))
    middle_y = float(np.mean([y for _, y in points]))
    place = (_CANVAS / 2, middle_y)
    pen.multiline_text(
        place,
        text,
        fill=ink,
        font=font,
        anchor="mm",
        align="center",
        stroke_width=2,
        stroke_fill=ink,
    )
    return picture


def draw(name: str, rng: np.random.Generator) -> Pixels:
    """One fresh picture of a drawn concept: uint8 (256, 256, 4), straight alpha."""
    picture = _draw_sign(name, rng) if name.endswith(" sign") else _draw_shape(name, rng)
    return np.asarray(picture, np.uint8)
