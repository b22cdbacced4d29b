"""What others would do: nothing, a Gaussian everywhere, or fewer pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge_daemon.quantiser import Quantiser
from edge_daemon.study.methods.desk import Desk
from edge_daemon.study.methods.method import Prepared
from kernels import varying_gaussian


@dataclass(frozen=True)
class Plain:
    """The codec alone."""

    name: str = "plain"

    def facts(self) -> dict[str, Any]:
        """Nothing: the name says it all."""
        return {}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """The source."""
        return Prepared(desk.question.pixels)


@dataclass(frozen=True)
class Gaussian:
    """One Gaussian for the whole picture, by the kernel that smooths ours.

    Args:
        sigma: Source pixels.
    """

    sigma: float

    @property
    def name(self) -> str:
        """With its sigma."""
        return f"gaussian:{self.sigma:g}"

    def facts(self) -> dict[str, Any]:
        """Nothing: the name says it all."""
        return {}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """The source, softened evenly."""
        pixels = desk.question.pixels
        even = np.full(pixels.shape[:2], self.sigma, np.float32)
        return Prepared(varying_gaussian(pixels, even))


@dataclass(frozen=True)
class Downsample:
    """Fewer pixels by a factor along each side; whoever receives them enlarges them again.

    Args:
        factor: Source pixels per sent pixel along a side.
    """

    factor: float

    @property
    def name(self) -> str:
        """With its factor."""
        return f"downsample:{self.factor:g}"

    def facts(self) -> dict[str, Any]:
        """Nothing: the name says it all."""
        return {}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """The source at a smaller size, by the means of areas."""
        height, width = desk.question.pixels.shape[:2]
        return _reduced(desk, width / self.factor, height / self.factor)


@dataclass(frozen=True)
class LowResolution:
    """The picture at a fixed size, whatever the source's.

    Args:
        shorter: Its shorter side in pixels; a smaller source stays as it is.
    """

    shorter: int

    @property
    def name(self) -> str:
        """With its shorter side."""
        return f"low-resolution:{self.shorter}"

    def facts(self) -> dict[str, Any]:
        """Nothing: the name says it all."""
        return {}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """The source at that size, by the means of areas."""
        height, width = desk.question.pixels.shape[:2]
        scale = min(1.0, self.shorter / min(height, width))
        return _reduced(desk, width * scale, height * scale)


def _reduced(desk: Desk, width: float, height: float) -> Prepared:
    size = (max(1, round(width)), max(1, round(height)))
    pixels = cv2.resize(desk.question.pixels, size, interpolation=cv2.INTER_AREA)
    return Prepared(np.asarray(pixels, np.uint8))
