"""The vocabulary in the critic's space, embedded once per bundle and machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.refiners.phrases.remembered import remembered
from edge_daemon.semantic.vocabulary import Vocabulary

_THING: Final = "a photo of a {}"
_LIGHT: Final = "a photo taken in {}"
_ATTRIBUTE: Final = "a photo of something {}"
"""What CLIP has read beside pictures are captions, so phrases are made to look like some. To
nano-icons it makes no difference: the mean precision at which it finds a scene's things is 0.87
with and without."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings of a vocabulary, each float32 (phrases, D), in its order, rows of unit length.

    An object's is the mean over all words for it; attributes are colours, materials and states.
    """

    scenes: NDArray[np.float32]
    objects: NDArray[np.float32]
    lighting: NDArray[np.float32]
    texts: NDArray[np.float32]
    attributes: NDArray[np.float32]


class VocabularyEmbedding:
    """Embeds a vocabulary when it is first asked for. Thread-safe.

    Args:
        critic: Embeds.
        vocabulary: What.
    """

    def __init__(self, critic: Critic, vocabulary: Vocabulary) -> None:
        self._critic = critic
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._embedded: Embedded | None = None

    def get(self) -> Embedded:
        """The embeddings.

        The first call takes as long as the text encoder needs for them all, unless an earlier
        process left them on the disk.
        """
        with self._lock:
            if self._embedded is None:
                self._embedded = self._embed()
            return self._embedded

    def things(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Embed names of things that are not in the vocabulary; float32 (N, D)."""
        return embedded(self._critic, [_THING.format(name) for name in names])

    def _embed(self) -> Embedded:
        critic, vocabulary = self._critic, self._vocabulary
        names = [vocabulary.names(thing) for thing in vocabulary.objects]
        sections = (
            [_THING.format(one) for one in vocabulary.scenes],
            [_THING.format(name) for group in names for name in group],
            [_LIGHT.format(one) for one in vocabulary.lighting],
            [_THING.format(one) for one in vocabulary.texts],
            [_ATTRIBUTE.format(one) for one in vocabulary.attributes.words],
        )
        chunks = [critic.chunks(text) for section in sections for text in section]
        flat = [chunk for group in chunks for chunk in group]
        rows = remembered(
            critic.text_encoder, critic.embedding_size, flat, lambda: critic.embed(flat)
        )
        ends = np.cumsum([len(section) for section in sections])[:-1]
        scenes, objects, lighting, texts, attributes = np.split(_joined(rows, chunks), ends)
        return Embedded(scenes, _joined(objects, names), lighting, texts, attributes)


def embedded(critic: Critic, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts of any length.

    Returns:
        float32 (N, D), rows of unit length: of each text the mean over the chunks that the encoder
        reads whole.
    """
    chunks = [critic.chunks(text) for text in texts]
    return _joined(critic.embed([chunk for group in chunks for chunk in group]), chunks)


def _joined(rows: NDArray[np.float32], groups: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """One unit vector per group, in the direction of the mean of its rows; none is empty."""
    sizes = np.array([len(group) for group in groups], np.intp)
    sums = np.add.reduceat(rows, np.cumsum(sizes) - sizes)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(lengths > 0.0, lengths, 1.0), np.float32)
