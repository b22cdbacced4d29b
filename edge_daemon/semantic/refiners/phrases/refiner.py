"""The refiner that needs no language model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Final

import numpy as np

from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.cleaning import cleaned
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.refiners.abc import Best, Proposal
from edge_daemon.semantic.refiners.phrases.closer_look import CloserLook
from edge_daemon.semantic.refiners.phrases.composing import Composer
from edge_daemon.semantic.refiners.phrases.draft import Draft
from edge_daemon.semantic.refiners.phrases.embedding import VocabularyEmbedding
from edge_daemon.semantic.refiners.phrases.evidence import weigh
from edge_daemon.semantic.refiners.phrases.varying import Variation
from edge_daemon.semantic.refiners.phrases.wording import Wording
from edge_daemon.semantic.steering import mentions
from edge_daemon.semantic.vocabulary import Vocabulary

_LEAST_GAIN: Final = 0.5
"""Parts that a phrase of a first text has to cover beyond the phrases before it. Of what is named
by it in scenes of icons 0.87 is there, and 0.81 of what is there is named."""
_ATTEMPTS: Final = 8
"""Variants that are tried for each that is wanted, since many come out alike."""


class PhraseRefiner:
    """Composes texts of a vocabulary's phrases. Thread-safe.

    Args:
        critic: Ranks the phrases.
        vocabulary: Has them. They are embedded when the first text is wanted.
    """

    name: ClassVar[str] = "phrases"
    local: ClassVar[bool] = True

    def __init__(self, critic: Critic, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._embedding = VocabularyEmbedding(critic, vocabulary)
        self._wording = Wording(vocabulary)

    def prepare(self) -> None:
        """Embeds the vocabulary, if that is not done yet."""
        self._embedding.get()

    def propose(
        self,
        brief: Brief,
        best: Best | None,
        count: int,
        *,
        rng: np.random.Generator,
        timeout_s: float,
        budget: float | None,
    ) -> Proposal:
        """First texts for a picture, or variants of the best one so far; see `Refiner`.

        It costs nothing and takes milliseconds, so neither time nor budget bound it.
        """
        caption, notes = cleaned(" ".join(brief.caption.split()), brief.max_bytes)
        composer, closer_look = self._prepared(brief, caption.rstrip(" .,;:"))
        variation = Variation(composer, closer_look, rng)
        if best is None:
            drafts = _first(composer, variation)
        else:
            drafts = variation.variants(composer.read(best.text), drawn=best.drawn)
        texts: dict[str, None] = {}
        for draft in islice(drafts, _ATTEMPTS * count):
            text = composer.text(draft)
            if text and (best is None or text != best.text):
                texts[text] = None
            if len(texts) == count:
                break
        return Proposal(tuple(texts), notes=notes)

    def _prepared(self, brief: Brief, caption: str) -> tuple[Composer, CloserLook]:
        """The evidence for one picture, and what makes texts of it."""
        asked = brief.asked
        others = [words for words in dict.fromkeys(asked) if self._wording.name(words) is None]
        evidence = weigh(
            brief.sight,
            self._vocabulary,
            self._embedding.get(),
            others,
            self._embedding.things(others),
        )
        told = ", ".join((*asked, caption))
        said = [
            thing
            for thing in self._vocabulary.objects
            if told and any(mentions(told, name) for name in self._vocabulary.names(thing))
        ]
        # A caption that leads with what is asked about need not be led itself.
        if caption and all(mentions(caption, words) for words in asked):
            asked = ()
        composer = Composer(evidence, self._wording, asked, caption, said, brief.max_bytes)
        return composer, CloserLook(self._embedding, self._vocabulary, evidence)


def _first(composer: Composer, variation: Variation) -> Iterator[Draft]:
    """By gain, then by gain per byte with what the asked things are like, then variants."""
    begun = composer.begun()
    by_gain = composer.extended(begun, _LEAST_GAIN)
    yield by_gain
    yield composer.extended(variation.described(begun), _LEAST_GAIN, per_byte=True)
    yield from variation.variants(by_gain, drawn=False)
