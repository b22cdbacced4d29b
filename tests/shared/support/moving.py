"""Frames of a camera that stands still while one thing moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.demo.scenes import ICONS, make_scene

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Street:
    """A scene of icons, and one more that is pasted wherever it is wanted.

    Attributes:
        still: uint8 (H, W, 3), without the thing that moves.
        asked: Name of a thing that stands still in it.
        mover: Name of the thing that moves; there is none of its kind in the scene.
        icon: float32 RGBA (side, side, 4), the thing that moves.
    """

    still: Pixels
    asked: str
    mover: str
    icon: NDArray[np.float32]

    def frame(self, x: int, y: int) -> Pixels:
        """The scene with the mover's top left at these pixels."""
        pixels = self.still.astype(np.float32)
        side = len(self.icon)
        patch, alpha = pixels[y : y + side, x : x + side], self.icon[..., 3:] / 255.0
        patch += alpha * (self.icon[..., :3] - patch)
        return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)

    def crossing(self, frames: int, noise: float, seed: int) -> Iterator[Pixels]:
        """The mover crosses the scene by 1.2 % of its width per frame, under sensor noise."""
        height, width = self.still.shape[:2]
        for number in range(frames):
            x, y = (0.1 + 0.012 * number) * width, 0.45 * height + 0.003 * number * width
            yield grainy(self.frame(int(x), int(y)), noise, seed + number)


def make_street(seed: int, width: int, height: int, *, share: float) -> Street:
    """A street by a seed, whose mover is as wide as a share of the picture, and no blank."""
    scene = make_scene(seed, width=width, height=height)
    index = json.loads((ICONS / "index.json").read_text(encoding="utf-8"))
    there = {thing.name for thing in scene.things}
    mover = sorted(set(index) - there)[seed % 5]
    bgra = np.asarray(cv2.imread(str(ICONS / index[mover]["file"]), cv2.IMREAD_UNCHANGED))
    side = int(share * width)
    icon = cv2.resize(bgra[..., [2, 1, 0, 3]], (side, side), interpolation=cv2.INTER_AREA)
    return Street(scene.pixels, scene.things[0].name, mover, icon.astype(np.float32))


def grainy(pixels: Pixels, noise: float, seed: int) -> Pixels:
    """The picture under Gaussian noise of so many grey levels, each channel on its own."""
    grain = np.random.default_rng(seed).normal(0.0, noise, pixels.shape)
    return np.clip(pixels + grain + 0.5, 0, 255).astype(np.uint8)
