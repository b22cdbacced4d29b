"""Training pictures: icons pasted over backgrounds at the size at which the network looks.

A picture holds none, one or several icons; its target says which, each weighted by the share of it
that can be seen. Everything random comes from one generator, so a seed gives the same pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.nano.atlas import Atlas
from export.nano.pixels import Pixels, area_resized, linear_resized, recoloured

_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_YIQ)

_COUNT_CHANCES = (0.08, 0.52, 0.22, 0.12, 0.06)
"""Chances of 0, 1, 2, 3 and 4 icons in a picture."""

_INKED_CHANCE = 0.4
_DRAWN_CHANCE = 0.1
_RECOLOURED_CHANCE = 0.8
_WHOLE_CHANCE = 0.6
"""Chance that an icon is placed so that it lies inside the picture as a whole, if it can."""

_LEAST_SEEN = 0.35
"""An icon of which less than this share lies inside the picture is not in the target."""


def colour_matrix(rng: np.random.Generator, *, colour_named: bool) -> NDArray[np.float32]:
    """A random change of an icon's colours, (4, 4) on RGBA with alpha multiplied in.

    Hue, saturation, contrast and brightness (the last through the alpha column, so that what is
    transparent stays so). Concepts with a colour in their name hardly change hue.
    """
    draw = rng.random(8)
    hue = (draw[0] + draw[1] - 1) * (10 if colour_named else 40)
    saturation = 0.6 + 0.7 * draw[2]
    if not colour_named:
        if draw[3] < 0.12:
            hue = 360 * draw[4]
        elif draw[3] < 0.22:
            saturation = 0.25 * draw[4]
    angle = math.radians(hue)
    cosine, sine = saturation * math.cos(angle), saturation * math.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    contrast, shift = 0.7 + 0.5 * draw[5], (draw[6] - 0.45) * 0.35
    matrix = np.zeros((4, 4), np.float32)
    matrix[:3, :3] = contrast * (_FROM_YIQ @ turn @ _YIQ)
    matrix[:3, 3] = shift + (1 - contrast) * 0.5
    matrix[3, 3] = 1
    return matrix


def _level(atlas: Atlas, row: int, size: float) -> Pixels:
    """The smallest copy of an icon that is at least nearly as large as it will be pasted."""
    for pictures in reversed(atlas.pictures):
        if pictures.shape[1] >= size * 0.9:
            return pictures[row]
    return atlas.pictures[0][row]


def paste(
    canvas: Pixels,
    icon: Pixels,
    centre: tuple[float, float],
    size: float,
    *,
    turn: float = 0.0,
    stretch: float = 1.0,
    mirror: bool = False,
) -> None:
    """Paste an icon (S, S, 4), alpha multiplied in, into a canvas (H, W, 3) in place.

    Args:
        canvas: uint8, changed.
        icon: uint8.
        centre: x and y of the icon's middle, in pixels of the canvas.
        size: Side of the pasted square in pixels.
        turn: Rotation in degrees.
        stretch: Width over height, relative.
        mirror: Whether to flip it left to right.
    """
    height, width = canvas.shape[:2]
    reach = size * (0.5 + abs(math.sin(math.radians(turn))) * 0.5) * max(stretch, 1 / stretch) + 1
    left, right = max(int(centre[0] - reach), 0), min(int(centre[0] + reach) + 1, width)
    top, bottom = max(int(centre[1] - reach), 0), min(int(centre[1] + reach) + 1, height)
    if left >= right or top >= bottom:
        return
    scale = size / icon.shape[0]
    cosine, sine = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
    wide, high = math.sqrt(stretch), 1 / math.sqrt(stretch)
    side = -wide if mirror else wide
    matrix = np.array([[cosine * side, -sine * high, 0.0], [sine * side, cosine * high, 0.0]])
    middle = (icon.shape[0] - 1) / 2
    matrix[:, 2] = (centre[0] - 0.5 - left, centre[1] - 0.5 - top)
    matrix[:, 2] -= matrix[:, :2] @ (middle, middle)
    placed = cv2.warpAffine(icon, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    part = canvas[top:bottom, left:right]
    behind = 255 - placed[..., 3:].astype(np.uint16)
    part[...] = placed[..., :3] + ((part * behind + 127) // 255).astype(np.uint8)


def _seen_share(centre: tuple[float, float], size: float, side: int) -> float:
    """The share of an icon's square that lies inside a square picture of `side` pixels."""
    spans = [
        max(0.0, min(place + size / 2, side) - max(place - size / 2, 0.0)) / size
        for place in centre
    ]
    return spans[0] * spans[1]


@dataclass
class Batch:
    """Pictures and what they show.

    Attributes:
        pictures: uint8 (N, side, side, 3).
        rows: For each target entry, the picture.
        concepts: For each target entry, the concept; the number of concepts itself says "nothing".
        weights: float32, for each target entry its share; a picture's shares sum to 1.
    """

    pictures: Pixels
    rows: NDArray[np.int64]
    concepts: NDArray[np.int64]
    weights: NDArray[np.float32]


class Composer:
    """Makes batches from an atlas and a pool of backgrounds.

    Args:
        atlas: The icons.
        backgrounds: uint8 (K, S, S, 3).
        emoji: How many of the atlas' concepts, from the first, are emoji; the rest are drawn.
        seed: Of all that is random.
    """

    def __init__(
        self, atlas: Atlas, backgrounds: Pixels, emoji: int, seed: int | tuple[int, ...]
    ) -> None:
        self._atlas = atlas
        self._backgrounds = backgrounds
        half = backgrounds.shape[1] // 2
        self._halves = np.stack([area_resized(one, half) for one in backgrounds])
        self._emoji = emoji
        self._total = len(atlas.plain)
        self._rng = np.random.default_rng(seed)

    def _background(self, side: int) -> Pixels:
        rng = self._rng
        number = int(rng.integers(len(self._backgrounds)))
        source: Pixels = self._backgrounds[number]
        draw = rng.random(4)
        span = source.shape[0] * (0.35 + 0.65 * draw[0])
        if span > 1.5 * side:  # bilinear shrinking any further would alias
            source, span = self._halves[number], span / 2
        left, top = draw[1] * (source.shape[0] - span), draw[2] * (source.shape[0] - span)
        part = source[int(top) : int(top + span), int(left) : int(left + span)]
        small = linear_resized(part, side)
        return np.ascontiguousarray(small[:, ::-1] if draw[3] < 0.5 else small)

    def _concept(self) -> int:
        if self._rng.random() < _DRAWN_CHANCE:
            return int(self._rng.integers(self._emoji, self._total))
        return int(self._rng.integers(self._emoji))

    def _add_icon(
        self,
        canvas: Pixels,
        concept: int,
        size: float,
        centre: tuple[float, float],
        *,
        easy: bool,
    ) -> None:
        atlas, rng = self._atlas, self._rng
        redrawn = rng.random() < _INKED_CHANCE
        rows = atlas.inked[concept] if redrawn else atlas.plain[concept]
        row = rows[int(rng.integers(len(rows)))]
        icon = _level(atlas, row, size)
        draw = rng.random(6)
        if not easy and draw[0] < _RECOLOURED_CHANCE:
            matrix = colour_matrix(rng, colour_named=atlas.colour_named[concept])
            icon = recoloured(icon, matrix)
            np.minimum(icon[..., :3], icon[..., 3:], out=icon[..., :3])
        paste(
            canvas,
            icon,
            centre,
            size,
            turn=0.0 if easy else (draw[1] + draw[2] - 1) * 22,
            stretch=1.0 if easy else 0.85 + 0.32 * draw[3],
            mirror=not atlas.sided[concept] and draw[4] < 0.4,
        )

    def _easy_place(self, side: int) -> list[tuple[float, tuple[float, float]]]:
        """One large icon that lies inside the picture."""
        draw = self._rng.random(3)
        size = side * (0.65 + 0.35 * draw[0])
        free = side - size
        return [(size, (size / 2 + draw[1] * free, size / 2 + draw[2] * free))]

    def _places(self, count: int, side: int) -> list[tuple[float, tuple[float, float]]]:
        """Sizes and centres of `count` icons; no icon covers another's middle."""
        rng = self._rng
        placed: list[tuple[float, tuple[float, float]]] = []
        for _ in range(count * 4):
            draw = rng.random(4)
            size = side * (0.25 + 0.9 * draw[0] if count == 1 else 0.22 + 0.45 * draw[0])
            whole = draw[3] < _WHOLE_CHANCE
            margin = min(size, side) / 2 if whole else 0.0
            centre = (
                margin + draw[1] * (side - 2 * margin),
                margin + draw[2] * (side - 2 * margin),
            )
            apart = all(
                max(abs(centre[0] - other[0]), abs(centre[1] - other[1])) > 0.45 * (size + extent)
                for extent, other in placed
            )
            seen = _seen_share(centre, size, side)
            largest_share = min(1.0, (side / size) ** 2)
            if apart and (seen > _LEAST_SEEN * largest_share or (placed and seen > 0)):
                placed.append((size, centre))
            if len(placed) == count:
                break
        return placed

    def batch(self, count: int, side: int, ease: float = 0.0) -> Batch:
        """`count` pictures of `side` pixels.

        The share `ease` of them shows one large icon each, in its own colours and upright.
        """
        pictures = np.empty((count, side, side, 3), np.uint8)
        rows: list[int] = []
        concepts: list[int] = []
        weights: list[float] = []
        numbers = self._rng.choice(len(_COUNT_CHANCES), count, p=_COUNT_CHANCES)
        easy = self._rng.random(count) < ease
        for picture in range(count):
            canvas = self._background(side)
            shown: list[tuple[int, float]] = []
            places = (
                self._easy_place(side)
                if easy[picture]
                else self._places(int(numbers[picture]), side)
            )
            for size, centre in places:
                concept = self._concept()
                self._add_icon(canvas, concept, size, centre, easy=bool(easy[picture]))
                seen = _seen_share(centre, size, side)
                if seen >= _LEAST_SEEN * min(1.0, (side / size) ** 2):
                    shown.append((concept, min(1.0, seen) * math.sqrt(size)))
            if not shown:
                shown.append((self._total, 1.0))
            total = sum(weight for _, weight in shown)
            for concept, weight in shown:
                rows.append(picture)
                concepts.append(concept)
                weights.append(weight / total)
            pictures[picture] = canvas
        return Batch(
            pictures=self._spoil(pictures),
            rows=np.array(rows),
            concepts=np.array(concepts),
            weights=np.array(weights, np.float32),
        )

    def _spoil(self, pictures: Pixels) -> Pixels:
        """Light, tint, blur and noise, as a camera and a codec leave them."""
        rng = self._rng
        count, side = map(int, pictures.shape[:2])
        gains = rng.uniform(0.75, 1.2, (count, 1)) * rng.uniform(0.88, 1.12, (count, 3))
        offsets = rng.uniform(-22, 26, (count, 1))
        chances = rng.random((count, 2))
        grain = rng.normal(0, 1, (side, side * 2, 3)).astype(np.float32)
        for number in range(count):
            picture = pictures[number].astype(np.float32)
            picture = picture * gains[number].astype(np.float32) + np.float32(offsets[number, 0])
            if chances[number, 0] < 0.25:
                sigma = 0.3 + 3.0 * chances[number, 0]
                picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
            if chances[number, 1] < 0.3:
                start = int(rng.integers(side))
                picture = picture + grain[:, start : start + side] * (40 * chances[number, 1])
            pictures[number] = np.clip(picture, 0, 255)
        return pictures
