"""What stands behind the icons: photographs, textures, gradients, clutter.

The photographs are those that ship with scikit-image.
Two pools are made from different seeds and different photographs: one to train on, one to test on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from export.nano.pixels import Pixels, area_resized, cubic_resized, linear_resized, recoloured

Painter = Callable[[np.random.Generator, int], Pixels]

# Its stubs leave the pictures' types open; this keeps that from spreading.
_shipped: Any = data

TRAINING_PHOTOGRAPHS = (
    "astronaut", "rocket", "brick", "grass", "gravel", "hubble_deep_field", "retina",
    "immunohistochemistry", "camera", "coins", "page", "moon", "text",
)  # fmt: skip
TEST_PHOTOGRAPHS = ("coffee", "chelsea", "motorcycle")

_SCRAPS = ("polygon", "disc", "line", "box", "letters")


def photographs(names: tuple[str, ...]) -> list[Pixels]:
    """scikit-image's shipped pictures as uint8 (H, W, 3); nothing is downloaded."""
    loaded: list[Pixels] = []
    for name in names:
        read = _shipped.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        picture: Pixels = np.asarray(read, np.uint8)
        if picture.ndim == 2:  # grey
            picture = np.repeat(picture[..., None], 3, axis=2)
        loaded.append(np.ascontiguousarray(picture[..., :3]))
    return loaded


def _noise(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Smooth noise of several octaves, 0..1, (size, size)."""
    total = np.zeros((size, size), np.float32)
    cells, weight = int(rng.integers(2, 6)), 1.0
    fade = rng.uniform(0.35, 0.8)
    while cells < size // 2:
        grid = rng.random((cells, cells), np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * fade
    return (total - total.min()) / max(float(np.ptp(total)), 1e-6)


def _between(share: NDArray[np.float32], rng: np.random.Generator) -> Pixels:
    """A ramp 0..1 through three random colours."""
    stops = rng.integers(0, 256, (3, 3))
    places = np.array([0, rng.uniform(0.25, 0.75), 1])
    channels = [np.interp(share, places, stops[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).astype(np.uint8)


def _texture(rng: np.random.Generator, size: int) -> Pixels:
    return _between(_noise(rng, size), rng)


def _gradient(rng: np.random.Generator, size: int) -> Pixels:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = x * np.cos(angle) + y * np.sin(angle)
    return _between((ramp - ramp.min()) / np.ptp(ramp), rng)


def _stripes(rng: np.random.Generator, size: int) -> Pixels:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 60)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.4:  # checks
        wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.6:  # hard edges
        wave = np.sign(wave)
    return _between((wave + 1) / 2, rng)


def _plain(rng: np.random.Generator, size: int) -> Pixels:
    colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else rng.integers(200, 256, 3)
    grain = rng.normal(0, rng.uniform(0, 8), (size, size, 1))
    return (colour + grain).clip(0, 255).astype(np.uint8)


def _strew(canvas: Pixels, rng: np.random.Generator, count: int) -> None:
    """Draw random polygons, discs, lines and scraps of writing over a square canvas, in place."""
    size: int = canvas.shape[0]
    for _ in range(count):
        colour = [int(part) for part in rng.integers(0, 256, 3)]
        centre = rng.integers(0, size, 2)
        reach = int(rng.integers(4, size // 5))
        kind = str(rng.choice(_SCRAPS))
        place = (int(centre[0]), int(centre[1]))
        if kind == "polygon":
            corners = centre + rng.integers(-reach, reach + 1, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour)
        elif kind == "disc":
            cv2.circle(canvas, place, reach // 2 + 1, colour, int(rng.choice([-1, 2, 4])))
        elif kind == "line":
            end = (centre + rng.integers(-3 * reach, 3 * reach + 1, 2)).tolist()
            cv2.line(canvas, place, (int(end[0]), int(end[1])), colour, int(rng.integers(1, 6)))
        elif kind == "box":
            end = (centre + rng.integers(-reach, reach + 1, 2)).tolist()
            cv2.rectangle(canvas, place, (int(end[0]), int(end[1])), colour, -1)
        else:
            letters = "".join(chr(int(code)) for code in rng.integers(65, 91, 5))
            scale = float(rng.uniform(0.3, 1.2))
            cv2.putText(canvas, letters, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2)


def _clutter(rng: np.random.Generator, size: int) -> Pixels:
    canvas = np.ascontiguousarray(_texture(rng, size) if rng.random() < 0.5 else _plain(rng, size))
    _strew(canvas, rng, int(rng.integers(15, 70)))
    return canvas


def _photograph(sources: list[Pixels]) -> Painter:
    def paint(rng: np.random.Generator, size: int) -> Pixels:
        source = sources[int(rng.integers(len(sources)))]
        height, width = map(int, source.shape[:2])
        side = int(rng.uniform(0.35, 1.0) * min(height, width))
        top = int(rng.integers(0, height - side + 1))
        left = int(rng.integers(0, width - side + 1))
        part = source[top : top + side, left : left + side]
        out = area_resized(part, size) if side > size else cubic_resized(part, size)
        if rng.random() < 0.5:  # half change their colours
            mix = np.eye(3) * rng.uniform(0.5, 1) + rng.uniform(-0.25, 0.25, (3, 3))
            out = recoloured(out, mix)
        return out

    return paint


def pool(seed: int, count: int, size: int, names: tuple[str, ...]) -> Pixels:
    """`count` square backgrounds, uint8 (count, size, size, 3): four in ten are photographs.

    Args:
        seed: Makes the pool reproducible.
        count: How many.
        size: Side in pixels.
        names: Which of scikit-image's photographs to cut from.
    """
    rng = np.random.default_rng((seed, 7))
    photograph = _photograph(photographs(names))
    painters: list[Painter] = [_texture, _gradient, _stripes, _plain, _clutter, _clutter]
    painters += [photograph] * 4
    chosen = rng.integers(0, len(painters), count)
    return np.stack([painters[int(which)](rng, size) for which in chosen])


def busy(rng: np.random.Generator, width: int, height: int, names: tuple[str, ...]) -> Pixels:
    """A busy background for a whole scene, uint8 (height, width, 3).

    A mosaic of pieces of photographs, textures and stripes, with clutter strewn over it.
    """
    photograph = _photograph(photographs(names))
    side = max(width, height)
    piece = side // 4
    painters: list[Painter] = [photograph, photograph, _texture, _stripes, _clutter]
    rows = [
        np.hstack([painters[int(rng.integers(len(painters)))](rng, piece) for _ in range(4)])
        for _ in range(4)
    ]
    canvas = linear_resized(np.vstack(rows), side)
    _strew(canvas, rng, 60)
    return np.ascontiguousarray(canvas[:height, :width])
