"""One series of measurements: a way to send pictures, at several qualities of one codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Accounting: TypeAlias = Literal["source", "sent"]
"""Whose pixels the bits are divided by: the source's, or those of the picture that was sent."""


@dataclass(frozen=True)
class Series:
    """Figures of every question at every quality, all float64 of shape (questions, qualities).

    Results without questions have one row, which holds what was given for all of them.

    Attributes:
        name: Of the way to send pictures, e.g. "prompt-guided".
        codec: That it used.
        qualities: Names of the codec's settings, in the order of the columns.
        questions: Ids, sorted; empty where results are not per question.
        bits: That were sent; bits per pixel where only those are known.
        pixels: Of the source; 1 where only bits per pixel are known.
        sent_pixels: Of the picture that was sent.
        accuracy: Per question 0..1; else on the scale of the results.
        has_bytes: Whether `bits` counts bits, not bits per pixel.
    """

    name: str
    codec: str
    qualities: tuple[str, ...]
    questions: tuple[str, ...]
    bits: Floats
    pixels: Floats
    sent_pixels: Floats
    accuracy: Floats
    has_bytes: bool

    @property
    def once(self) -> Floats:
        """The weights with which every question counts once, shape (1, questions)."""
        return np.ones((1, len(self.bits)))

    @property
    def resized(self) -> bool:
        """Whether any sent picture has another number of pixels than its source."""
        return bool((self.pixels != self.sent_pixels).any())

    def rates(self, weights: Floats, accounting: Accounting) -> Floats:
        """All bits over all pixels, so that a large picture counts for more than a small one.

        Args:
            weights: How often each question counts, shape (resamples, questions).
            accounting: Which pixels.

        Returns:
            Bits per pixel, shape (resamples, qualities).
        """
        pixels = self.pixels if accounting == "source" else self.sent_pixels
        return (weights @ self.bits) / (weights @ pixels)

    def accuracies(self, weights: Floats) -> Floats:
        """Mean accuracy, shape (resamples, qualities); `weights` as for `rates`."""
        return (weights @ self.accuracy) / weights.sum(axis=1, keepdims=True)
