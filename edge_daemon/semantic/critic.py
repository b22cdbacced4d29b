"""The critic: how near a text or a picture comes to a picture, by a bundle's encoders.

CLIPSim is the cosine of two pictures' embeddings. Published figures are of CLIP ViT-B/32 and of the
square in the middle of each picture, which is all that CLIP's own preprocessing keeps ("centre").
A camera's picture is wide, so by default the embedding is the mean over squares that cover it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.tiling import tile
from edge_daemon.semantic.chunks import chunks_of
from edge_daemon.semantic.sight import OVERLAP, Parts, Sight
from models import Bundle
from models.preprocess import resized

Framing = Literal["cover", "centre"]

_MOST_SQUARES: Final = 8
"""Squares along a picture that is covered; one that is longer still is squeezed."""
_ODD: Final = 1.02
"""Sides that differ by less than this make no second square."""


@dataclass(frozen=True)
class TextScore:
    """How near a text comes to a picture.

    Attributes:
        score: Mean of the chunks' cosines, -1..1.
        chunks: Each chunk that the encoder read, whole, and its cosine.
    """

    score: float
    chunks: tuple[tuple[str, float], ...]


class Critic:
    """Cosines by one bundle. Thread-safe.

    Args:
        bundle: Embeds.
        framing: What of a picture counts as the whole: squares that cover it, or the one in its
            centre, as published figures have it.

    Attributes:
        name: The bundle's.
        notice: The bundle's caveat, to be shown wherever its scores are; may be empty.
        embedding_size: Components of an embedding (D).
        text_encoder: Identity of what embeds texts, down to its weights.
    """

    def __init__(self, bundle: Bundle, framing: Framing = "cover") -> None:
        self._bundle = bundle
        self._framing = framing
        self.name = bundle.manifest.name
        self.notice = bundle.manifest.notice
        self.embedding_size = bundle.embedding_size
        files = bundle.manifest.files
        self.text_encoder = " ".join(files[name].sha256 for name in ("tokenizer.json", "text.onnx"))

    def look(self, pixels: NDArray[np.uint8], *, parts: int | Parts = 0) -> Sight:
        """Embed a picture.

        Args:
            pixels: uint8 (H, W, 3), sRGB, any size.
            parts: Most tiles, overlapping by `OVERLAP`, that are embedded too, at least 9; 0 for
                none. Or those that this bundle has embedded already.
        """
        squares = self._squares(pixels)
        if isinstance(parts, Parts):
            embedded = self._bundle.encode_tiles(squares)
        elif parts:
            side, resize = self._bundle.tile_size, self._bundle.resize
            grid, tiles = tile(pixels, side, resize, budget=parts, overlap=OVERLAP)
            embedded = self._bundle.encode_tiles(np.concatenate([squares, tiles]))
            parts = Parts.of_tiles(embedded[len(squares) :], grid)
        else:
            embedded = self._bundle.encode_tiles(squares)
            parts = Parts(embedded[:0], np.empty((0, 4)))
        whole = _unit(embedded[: len(squares)].mean(axis=0))
        return Sight(whole, parts.embeddings, parts.boxes)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that fit the encoder's context; float32 (N, D), rows of unit length."""
        return self._bundle.encode_texts(texts)

    def chunks(self, text: str) -> list[str]:
        """The pieces in which the encoder reads a text whole."""
        return chunks_of(text, self._bundle.token_count, self._bundle.token_budget)

    def text_image(self, text: str, sight: Sight) -> TextScore:
        """Cosine of a text and a picture as a whole.

        A text that is longer than the context is scored in chunks, and their mean counts. An empty
        text has a score of 0.
        """
        chunks = self.chunks(text)
        if not chunks:
            return TextScore(0.0, ())
        cosines = self.embed(chunks) @ sight.whole
        scored = tuple((chunk, float(c)) for chunk, c in zip(chunks, cosines, strict=True))
        return TextScore(_bounded(float(cosines.mean())), scored)

    def image_image(self, one: Sight, other: Sight) -> float:
        """CLIPSim: cosine of two pictures as wholes, -1..1."""
        return _bounded(float(one.whole @ other.whole))

    def _squares(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 (N, tile_size, tile_size, 3): the squares that count as the whole picture."""
        side = self._bundle.tile_size
        if self._framing == "centre":
            pixels = _middle(pixels)
        height, width = pixels.shape[:2]
        ratio = min(max(height, width) / min(height, width), _MOST_SQUARES)
        along = int(side * ratio)
        upright = height > width
        size = (side, along) if upright else (along, side)
        canvas = resized(pixels, *size, self._bundle.resize)
        count = 1 if self._framing == "centre" else math.ceil(ratio / _ODD)
        spare = along - side
        starts = [spare // 2] if count == 1 else [spare * i // (count - 1) for i in range(count)]
        squares = [
            canvas[start : start + side] if upright else canvas[:, start : start + side]
            for start in starts
        ]
        return np.stack(squares)


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without the ends of a very long picture, of which the square in the centre shows nothing."""
    height, width = pixels.shape[:2]
    most = _MOST_SQUARES * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return pixels[top : top + most, left : left + most]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length, np.float32) if length > 0.0 else vector


def _bounded(cosine: float) -> float:
    """Within -1..1, which rounding may leave."""
    return min(1.0, max(-1.0, cosine))
