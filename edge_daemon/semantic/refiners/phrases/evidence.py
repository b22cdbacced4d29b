"""What of the vocabulary a picture shows: each phrase against each part, as likelihoods.

A cosine says little by itself: every phrase has a level of its own, which it has everywhere in a
picture, and encoders differ in how far cosines spread. So half of each phrase's mean over the parts
is taken off, the rest is measured in its standard deviation over the phrases, and a softmax over
the phrases makes it a likelihood. No figure of this depends on the bundle.

On 80 scenes of nano-icons (6 and 12 icons, 640x480 and 1920x1080), the mean precision at which the
things of a scene are found among the 632 objects is 0.76 by cosines, 0.85 by a softmax at the
temperature of its training (16), 0.88 at the best temperature (25), and 0.90 by this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.refiners.phrases.embedding import Embedded
from edge_daemon.semantic.sight import Sight
from edge_daemon.semantic.vocabulary import Vocabulary

Kind = Literal["scene", "thing", "light", "text"]

_BIAS: Final = 0.5
"""Share of a phrase's mean over the parts that counts as its bias. All of it would hide what fills
the picture; shares from 0.3 to 0.9 differ by 0.01 in precision."""
_SHARPNESS: Final = 2.0
"""Of the softmax, per standard deviation. With CLIP's temperature of 100 it would be about 3."""
_NOTHING: Final = 1e-6
"""A spread of cosines that is rounding."""
_SCENE_WEIGHT: Final = 2.0
"""Parts that the scene counts for. The best of 180 phrases has a likelihood of 0.17 by mere chance,
of 25 phrases for light 0.32."""


@dataclass(frozen=True)
class Phrase:
    """One phrase that may stand in a text."""

    kind: Kind
    words: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """How far each phrase says what a picture shows.

    Attributes:
        phrases: P phrases, each once.
        weights: float64 (R, P), at least 0: how well each phrase says what is in each place. Rows
            are the parts, then the scene and the light of the whole picture; a phrase has weight
            only in rows of its own kind.
        boxes: float64 (N, 4) of the N parts, as in `Sight`.
        parts: float32 (N, D): their embeddings.
        spread: Standard deviation of a part's cosines over things.
    """

    phrases: tuple[Phrase, ...]
    weights: NDArray[np.float64]
    boxes: NDArray[np.float64]
    parts: NDArray[np.float32]
    spread: float

    @cached_property
    def columns(self) -> dict[Phrase, int]:
        """Where each phrase stands in `weights`."""
        return {phrase: column for column, phrase in enumerate(self.phrases)}

    def on_parts(self, phrase: Phrase) -> NDArray[np.float64]:
        """float64 (N,): a phrase's likelihood in each part, 0..1."""
        return self.weights[: len(self.boxes), self.columns[phrase]]


def weigh(
    sight: Sight,
    vocabulary: Vocabulary,
    embedded: Embedded,
    others: Sequence[str],
    others_embedded: NDArray[np.float32],
) -> Evidence:
    """Compare a picture with all phrases.

    Args:
        sight: The picture. Without parts, the whole is the only one.
        vocabulary: The phrases.
        embedded: Their embeddings.
        others: Things beyond the vocabulary.
        others_embedded: float32 (len(others), D).
    """
    alone = len(sight.parts) == 0
    parts = sight.whole[None] if alone else sight.parts
    boxes = np.array([[0.0, 0.0, 1.0, 1.0]]) if alone else sight.boxes
    phrases = (
        *(Phrase("scene", words) for words in vocabulary.scenes),
        *(Phrase("light", words) for words in vocabulary.lighting),
        *(Phrase("thing", words) for words in (*vocabulary.objects, *others)),
        *(Phrase("text", words) for words in vocabulary.texts),
    )
    scenes, lights, count = len(embedded.scenes), len(embedded.lighting), len(parts)
    weights = np.zeros((count + 2, len(phrases)))
    whole = sight.whole[None]
    weights[count, :scenes] = _SCENE_WEIGHT * likelihoods(cosines(whole, embedded.scenes))[0]
    weights[count + 1, scenes : scenes + lights] = likelihoods(cosines(whole, embedded.lighting))[0]
    things = np.concatenate([embedded.objects, others_embedded, embedded.texts])
    on_parts = cosines(parts, things)
    weights[:count, scenes + lights :] = likelihoods(on_parts)
    return Evidence(phrases, weights, boxes, parts, _spread(on_parts))


def cosines(parts: NDArray[np.float32], phrases: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each part with each phrase: float64 (N, P) of unit vectors (N, D) and (P, D)."""
    return np.asarray(parts @ phrases.T, np.float64)


def likelihoods(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each phrase is the right one for each part, one of them being right.

    Args:
        values: float64 (N, P), cosines.

    Returns:
        float64 (N, P); rows sum to 1. All are equal where the phrases do not differ.
    """
    if values.shape[1] == 0:
        return values
    if len(values) > 1:
        values = values - _BIAS * values.mean(axis=0)
    spread = _spread(values)
    values = values * (_SHARPNESS / spread if spread > _NOTHING else 0.0)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _spread(values: NDArray[np.float64]) -> float:
    """Mean over the parts of the standard deviation over the phrases."""
    return float(values.std(axis=1).mean()) if values.size else 0.0
