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

_PRIMER: Final = Path(__file__).with_name("primer.txt")
_ORDER: Final = 6
_SCALE: Final = 1 << 24
_DISCOUNT: Final = 13
_COUNT: Final = 16
"""One occurrence; a discount is `_DISCOUNT` of these parts."""
_WEIGHT: Final = 2
"""A byte of the text itself counts as much as this many of the primer."""
_MOST_FOLLOWERS: Final = 255
"""Of the bytes that followed a context, the latest that are remembered."""

_Followers = dict[bytes, bytes]
"""Bytes that followed a context, in order, one per time that counts."""


class TextModel:
    """Predicts one text, byte by byte, and learns from it as it goes.

    Args:
        primed: What is known beforehand; it is only read, so texts and threads may share it.
    """

    def __init__(self, primed: Mapping[bytes, bytes]) -> None:
        self._primed = primed
        self._learned: _Followers = {}
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
            seen = np.frombuffer(followers, np.uint8)
            counts = np.bincount(seen, minlength=256).astype(np.int64)
            kept = np.maximum(_COUNT * counts - _DISCOUNT, 0)
            spread = _DISCOUNT * int(np.count_nonzero(counts))
            shares = (kept * _SCALE + spread * shares) // (_COUNT * len(followers))
        return shares + 1

    def learn(self, byte: int) -> None:
        """Go on behind `byte`."""
        for context in reversed(_contexts(self._history)):
            followers = self._followers(context)
            self._learned[context] = (followers + bytes([byte]) * _WEIGHT)[-_MOST_FOLLOWERS:]
            if byte in followers:
                break
        self._history = (self._history + bytes([byte]))[-_ORDER:]

    def _followers(self, context: bytes) -> bytes:
        return self._learned.get(context) or self._primed.get(context, b"")


@functools.cache
def primed() -> Mapping[bytes, bytes]:
    """What the primer teaches, read once per process: some 0.1 s and 4 MB."""
    return learned_from(_PRIMER.read_bytes())


def learned_from(primer: bytes) -> Mapping[bytes, bytes]:
    """What followed each context in a primer, whose lines are texts of their own.

    Args:
        primer: UTF-8.
    """
    known: _Followers = {}
    for line in primer.splitlines():
        history = bytes([END])
        for byte in (*line, END):
            for context in reversed(_contexts(history)):
                followers = known.get(context, b"")
                known[context] = (followers + bytes([byte]))[-_MOST_FOLLOWERS:]
                if byte in followers:
                    break
            history = (history + bytes([byte]))[-_ORDER:]
    return known


def _contexts(history: bytes) -> list[bytes]:
    """The last 0, 1, 2... bytes, as far as there are any."""
    return [history[len(history) - order :] for order in range(len(history) + 1)]
