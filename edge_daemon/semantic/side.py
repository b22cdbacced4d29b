"""Side information: what little of a picture's layout may travel beside its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SideKind = Literal["thumbnail", "sketch"]
"""A tiny picture, or the edges of one."""


@dataclass(frozen=True, eq=False)
class Side:
    """Side information, decoded.

    Attributes:
        kind: What it is.
        pixels: uint8 (h, w, 3), sRGB: the thumbnail, or the edges in black on white.
    """

    kind: SideKind
    pixels: NDArray[np.uint8]
