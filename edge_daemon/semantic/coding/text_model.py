"""How likely each next byte of a text is, after what came before and after a shipped primer.

Prediction by partial matching, with what every order knows interpolated as in Kneser-Ney smoothing:
each context of 0 to 6 bytes takes a discount from what it has seen and spreads it as the context
one byte shorter predicts (Cleary and Witten, "Data compression using adaptive coding and partial
string matching", 1984; Kneser and Ney, "Improved backing-off for m-gram language modeling", 1995).
A short context counts a byte once per longer context in which it was new, which is what
PPM calls update exclusion.

All arithmetic is in integers and none of it overflows 64 bits, so every machine arrives at the same
numbers. The primer and the constants are part of the format: whoever changes them raises `VERSION`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
"""Of the primer and of everything here that decides what a byte costs."""

END: Final = 0xFF
"""Ends a text, and stands before its first byte; no byte of UTF-8 has this value."""

PRIMER: Final = Path(__file__).with_name("primer.txt")
"""The file of the texts that the model is primed with, one a line."""

_ORDER: Final = 6
_SCALE: Final = 1 << 24
_DISCOUNT: Final = 13
_COUNT: Final = 16
"""One occurrence; a discount is `_DISCOUNT` of these parts."""
_WEIGHT: Final = 2
_MOST_FOLLOWERS: Final = 255
"""Of the bytes that followed a context, the latest that are remembered."""


class TextModel:
    """Predicts one text, byte by byte, and learns from it as it goes.

    Args:
        primed: What is known beforehand; it is only read, so texts and threads may share it.
        weight: A byte of the text counts as much as this many of the primer.

    Attributes:
        learned: Of the contexts that the text had: what has followed them, before it and in it.
    """

    def __init__(self, primed: Mapping[bytes, bytes], weight: int = _WEIGHT) -> None:
        self.learned: dict[bytes, bytes] = {}
        self._primed = primed
        self._weight = weight
        self._history = bytes([END])

    def sizes(self) -> NDArray[np.int64]:
        """Shares of all byte values in what comes next.

        Returns:
            int64 (256,), each at least 1; their sum is below 2^25.
        """
        shares = np.full(256, _SCALE // 256, np.int64)
        for context in _contexts(self._history):
            followers = self._followers(context)
            if not followers:
                break
            kept, spread = _discounted(followers)
            shares = (kept + spread * shares) // (_COUNT * len(followers))
        return shares + 1

    def learn(self, byte: int) -> None:
        """Go on behind `byte`; behind `END`, with another text."""
        for context in reversed(_contexts(self._history)):
            followers = self._followers(context)
            self.learned[context] = (followers + bytes([byte] * self._weight))[-_MOST_FOLLOWERS:]
            if byte in followers:
                break
        before = b"" if byte == END else self._history
        self._history = (before + bytes([byte]))[-_ORDER:]

    def _followers(self, context: bytes) -> bytes:
        """The bytes that followed a context, in order, one per time that counts."""
        return self.learned.get(context) or self._primed.get(context, b"")


@functools.cache
def primed() -> Mapping[bytes, bytes]:
    """What the primer teaches, read once per process: some 0.2 s and 4 MB."""
    model = TextModel({}, weight=1)
    for line in PRIMER.read_bytes().splitlines():
        for byte in (*line, END):
            model.learn(byte)
    return model.learned


@functools.lru_cache(maxsize=1024)
def _discounted(followers: bytes) -> tuple[NDArray[np.int64], int]:
    """What a context keeps for each byte, in `_SCALE`, and what it spreads over all; read-only."""
    seen = np.frombuffer(followers, np.uint8)
    counts = np.bincount(seen, minlength=256).astype(np.int64)
    kept = np.maximum(_COUNT * counts - _DISCOUNT, 0) * _SCALE
    kept.flags.writeable = False
    return kept, _DISCOUNT * int(np.count_nonzero(counts))


def _contexts(history: bytes) -> list[bytes]:
    """The last 0, 1, 2... bytes, as far as there are any."""
    return [history[len(history) - order :] for order in range(len(history) + 1)]
