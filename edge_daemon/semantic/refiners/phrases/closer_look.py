"""What a thing is like, and how it stands to another, where the critic confirms it."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_daemon.semantic.refiners.phrases.embedding import VocabularyEmbedding
from edge_daemon.semantic.refiners.phrases.evidence import Evidence, cosines, likelihoods
from edge_daemon.semantic.vocabulary import Vocabulary

_MARGIN: Final = 0.5
"""By how much saying more has to bring the words nearer to the part, in standard deviations of
cosines over things. What an encoder knows nothing about hardly moves them."""


class CloserLook:
    """A closer look at single parts of one picture.

    Args:
        embedding: Of the vocabulary.
        vocabulary: Has attributes and relations.
        evidence: The picture's.
    """

    def __init__(
        self, embedding: VocabularyEmbedding, vocabulary: Vocabulary, evidence: Evidence
    ) -> None:
        self._embedding = embedding
        self._vocabulary = vocabulary
        self._evidence = evidence

    def attribute(self, words: str, part: int) -> str:
        """What a thing in a part is likeliest to be like.

        Returns:
            One attribute; empty if the words have one already, or do not fit better with it.
        """
        attributes = self._vocabulary.attributes.words
        if not attributes or not set(attributes).isdisjoint(words.split()):
            return ""
        fitting = likelihoods(cosines(self._evidence.parts, self._embedding.get().attributes))
        attribute = attributes[int(fitting[part].argmax())]
        known = self._best(words, [f"{attribute} {words}"], part) is not None
        return attribute if known else ""

    def relation(self, words: str, other: str, part: int) -> str:
        """How a thing stands to another in a part; empty if no relation makes them fit better."""
        relations = self._vocabulary.relations
        best = self._best(f"{words} and {other}", [f"{words} {r} {other}" for r in relations], part)
        return "" if best is None else relations[best]

    def _best(self, words: str, others: list[str], part: int) -> int | None:
        """Which of the others fits a part best, if it does so better than the words."""
        if not others:
            return None
        here = self._evidence.parts[part : part + 1]
        plain, *better = cosines(here, self._embedding.things([words, *others]))[0]
        best = int(np.argmax(better))
        return best if better[best] - plain >= _MARGIN * self._evidence.spread else None
