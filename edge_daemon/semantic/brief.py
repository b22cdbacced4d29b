"""What is to be described, and under which conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.sight import Sight


@dataclass(frozen=True, eq=False)
class Brief:
    """One picture that wants a text.

    Attributes:
        pixels: uint8 (H, W, 3), sRGB, with masked regions already masked.
        sight: The same as the critic sees it, with parts.
        questions: What the picture will be asked, as given; may be empty.
        asked: What the questions are about, in a few words each, the first first. Every text leads
            with it.
        caption: What the client says of the picture; may be empty.
        max_bytes: Most bytes of UTF-8 that a text may have (R).
    """

    pixels: NDArray[np.uint8]
    sight: Sight
    questions: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    caption: str = ""
    max_bytes: int = 400
