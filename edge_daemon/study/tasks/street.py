"""A street to hang signs in: houses of brick with windows, trees, a road, a clouded sky.

Drawn from a seed, with detail at all scales nearly everywhere, as in a photograph of a street: what
a codec spends its bits on has to be there for a prefilter to save it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float32]
"""float32 (H, W, 3), levels 0 to 255, written to in place."""

_LEAF: Final = np.array((0.9, 1.0, 0.7), np.float32)
"""How strongly light and shade show in each colour of a tree."""
_KERB_PX: Final = 14


def draw_street(rng: np.random.Generator, width: int, height: int) -> Levels:
    """An empty street.

    Args:
        rng: Decides everything.
        width: In pixels.
        height: In pixels.
    """
    street = np.empty((height, width, 3), np.float32)
    horizon = int(height * rng.uniform(0.62, 0.72))
    _draw_sky(rng, street[:horizon])
    left = 0
    while left < width:
        right = min(width, left + int(rng.uniform(90, 220)))
        _draw_house(rng, street[int(height * rng.uniform(0.02, 0.3)) : horizon, left:right])
        left = right
    _draw_road(rng, street[horizon:])
    for _ in range(int(rng.integers(2, 5))):
        _draw_tree(rng, street, int(rng.uniform(0, width)), horizon + 8)
    return street


def develop(rng: np.random.Generator, street: Levels) -> NDArray[np.uint8]:
    """What a camera makes of it: uneven light, a soft lens, grain.

    Args:
        rng: Decides light and grain.
        street: Left as it is.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = street.shape[:2]
    light = np.clip(1.0 + _clouds(rng, width, height, 2, (0.12,)), 0.75, 1.25)
    lit = street * light[..., None]
    soft = cv2.GaussianBlur(lit.astype(np.float32), (3, 3), 0.6)
    grain = rng.normal(0.0, 2.5, street.shape)
    return np.clip(soft + grain + 0.5, 0, 255).astype(np.uint8)


def _clouds(
    rng: np.random.Generator, width: int, height: int, cells: int, strengths: Sequence[float]
) -> NDArray[np.float32]:
    """Noise in octaves, float32 (height, width).

    Args:
        rng: Decides it.
        width: In pixels.
        height: In pixels.
        cells: Of the coarsest octave, along the longer side.
        strengths: Standard deviation of each octave, from coarse to fine.
    """
    clouds = np.zeros((height, width), np.float32)
    longer = max(width, height)
    for octave, strength in enumerate(strengths):
        across, down = (max(2, (cells << octave) * side // longer + 1) for side in (width, height))
        coarse = rng.normal(0.0, strength, (down, across)).astype(np.float32)
        clouds += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return clouds


def _draw_sky(rng: np.random.Generator, sky: Levels) -> None:
    height, width = sky.shape[:2]
    sky[:] = rng.uniform((120, 150, 190), (180, 200, 235))
    sky += _clouds(rng, width, height, 3, (18, 10, 6, 3))[..., None]


def _draw_house(rng: np.random.Generator, front: Levels) -> None:
    height, width = front.shape[:2]
    wall = rng.uniform((70, 60, 55), (200, 180, 165)).astype(np.float32)
    front[:] = wall
    front += _clouds(rng, width, height, 4, (8, 6, 6, 5, 5))[..., None]
    if rng.random() < 0.6:
        _lay_bricks(rng, front)
    _set_windows(rng, front, frame=wall * 0.6 + 80.0)


def _lay_bricks(rng: np.random.Generator, wall: Levels) -> None:
    height, width = (int(side) for side in wall.shape[:2])
    tall = int(rng.integers(6, 11))
    long = 2 * tall + int(rng.integers(0, 6))
    rows = np.arange(height)[:, None]
    shifted = np.arange(width)[None, :] + (rows // tall % 2) * (long // 2)
    wall[(rows % tall == 0) | (shifted % long == 0)] -= rng.uniform(12, 30)
    tones = rng.normal(0.0, 7.0, (height // tall + 1, width // long + 2)).astype(np.float32)
    wall += tones[rows // tall, shifted // long][..., None]


def _set_windows(rng: np.random.Generator, wall: Levels, frame: NDArray[np.float32]) -> None:
    height, width = wall.shape[:2]
    across, down = int(rng.integers(18, 30)), int(rng.integers(26, 44))
    step_x, step_y = across + int(rng.integers(12, 22)), down + int(rng.integers(14, 26))
    shade = np.linspace(25.0, -15.0, down, dtype=np.float32)[:, None, None]
    for top in range(12, height - down - 6, step_y):
        for left in range(10, width - across - 6, step_x):
            wall[top - 2 : top + down + 2, left - 2 : left + across + 2] = frame
            glass = rng.uniform((30, 40, 50), (110, 130, 150)).astype(np.float32)
            curtain = rng.normal(0.0, 6.0, (1, across, 1)).astype(np.float32)
            wall[top : top + down, left : left + across] = glass + shade + curtain
            wall[top : top + down, left + across // 2] = frame


def _draw_road(rng: np.random.Generator, road: Levels) -> None:
    height, width = road.shape[:2]
    road[:] = rng.uniform(70, 115)
    road += _clouds(rng, width, height, 6, (6, 5, 5, 5, 6, 7, 8))[..., None]
    kerb = road[:_KERB_PX]
    kerb[:] = rng.uniform(140, 180)
    kerb += _clouds(rng, width, _KERB_PX, 40, (5, 5, 6))[..., None]
    top = int(height * 0.55)
    for start in range(0, width, 150):
        left = start + int(rng.uniform(0, 40))
        dash = np.array(
            [(left, top), (left + 70, top), (left + 80, top + 9), (left + 4, top + 9)], np.int32
        )
        cv2.fillPoly(road, [dash], (215.0, 215.0, 210.0))


def _draw_tree(rng: np.random.Generator, street: Levels, middle: int, foot: int) -> None:
    height, width = (int(side) for side in street.shape[:2])
    radius = float(rng.uniform(40, 85))
    crown = foot - int(1.9 * radius)
    cv2.rectangle(street, (middle - 6, crown), (middle + 6, foot), (60.0, 48.0, 38.0), -1)
    leaves = _clouds(rng, width, height, 24, (14, 18, 22, 24, 20))
    ragged = _clouds(rng, width, height, 24, (0.07, 0.07, 0.06, 0.05))
    across = (np.arange(width)[None, :] - middle) / radius
    down = (np.arange(height)[:, None] - crown) / radius
    inside = np.hypot(across, down) + ragged < 1.0
    green = rng.uniform((40, 75, 30), (85, 125, 60)).astype(np.float32)
    street[inside] = green + leaves[inside][:, None] * _LEAF
