"""A loaded bundle: pixels or text in, unit embeddings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.cache import EmbeddingCache
from models.manifest import Manifest
from models.preprocess import Resize
from models.session import EncoderSession, SharedStream, stream_of
from models.tokenizer import PromptTokenizer

CACHED_TEXTS = 1024


class Bundle:
    """Two encoders of one embedding space and the tokenizer between text and the second.

    Made by `models.load_bundle`; safe to call from several threads.

    Args:
        manifest: What the bundle says of itself.
        tokenizer: Makes rows of tokens of texts.
        image: Takes tiles, uint8 (N, S, S, 3).
        text: Takes rows of tokens.
        dense: Takes whole pictures; `None` if the bundle has no such graph.
        backend: Name of the backend that `image` was opened on.
        passed_over: Why other backends were not, by name.
    """

    def __init__(
        self,
        manifest: Manifest,
        tokenizer: PromptTokenizer,
        image: EncoderSession,
        text: EncoderSession,
        *,
        dense: EncoderSession | None = None,
        backend: str = "cpu",
        passed_over: Mapping[str, str] | None = None,
    ) -> None:
        self.manifest = manifest
        self._tokenizer = tokenizer
        self.image = image
        self._text = text
        self._dense = dense
        self.backend = backend
        self.passed_over = dict(passed_over or {})
        self._cache = EmbeddingCache(CACHED_TEXTS)

    @property
    def tile_size(self) -> int:
        """Side of a tile in pixels."""
        return self.manifest.tile_size

    @property
    def image_stream(self) -> SharedStream | None:
        """The CUDA stream that images are encoded on now, to be shared; None on other backends."""
        return stream_of(self.image)

    @property
    def resize(self) -> Resize:
        """How pictures are to be resized before tiles are cut out of them."""
        return self.manifest.preprocessing.resize

    @property
    def embedding_size(self) -> int:
        """Components of an embedding."""
        return self.manifest.embedding_size

    @property
    def context_length(self) -> int:
        """Tokens in a row of the text encoder's input, start and end tokens included."""
        return self.manifest.context_length

    @property
    def token_budget(self) -> int:
        """Tokens that a text may have before it is cut, start and end tokens not counted."""
        return self._tokenizer.token_budget

    def token_count(self, text: str) -> int:
        """Tokens of a text, start and end tokens not counted; compare with `token_budget`."""
        return self._tokenizer.token_count(text)

    def encode_tiles(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed square tiles of sRGB pixels.

        Args:
            tiles: uint8 (N, tile_size, tile_size, 3), any strides; N may be 0.

        Returns:
            float32 (N, embedding_size), each row of unit length.

        Raises:
            ValueError: Another shape or dtype.
        """
        side = self.tile_size
        if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[1:] != (side, side, 3):
            raise ValueError(
                f"tiles must be uint8 (N, {side}, {side}, 3), got {tiles.dtype} {tiles.shape}"
            )
        embeddings = np.empty((len(tiles), self.embedding_size), dtype=np.float32)
        for start in range(0, len(tiles), self.image.batch):
            batch = np.ascontiguousarray(tiles[start : start + self.image.batch])
            embeddings[start : start + len(batch)] = self.image.encode(batch)
        return embeddings

    def encode_dense(self, canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed all windows of a picture in one pass, as `manifest.dense` says.

        Args:
            canvas: uint8 (h * patch_size, w * patch_size, 3), sRGB, h and w at least `window`.

        Returns:
            float32 (h - window + 1, w - window + 1, embedding_size), each embedding of unit length.

        Raises:
            ValueError: Another shape or dtype, or the bundle has no dense graph.
        """
        facts = self.manifest.dense
        if self._dense is None or facts is None:
            raise ValueError(f"the bundle {self.manifest.name} has no dense.onnx")
        patch, least = facts.patch_size, facts.patch_size * facts.window
        pixels = canvas.dtype == np.uint8 and canvas.ndim == 3 and canvas.shape[2] == 3
        if not pixels or any(side % patch or side < least for side in canvas.shape[:2]):
            raise ValueError(
                f"the canvas must be uint8 (H, W, 3) with sides in multiples of {patch}, at least "
                f"{least}, got {canvas.dtype} {canvas.shape}"
            )
        return self._dense.encode(np.ascontiguousarray(canvas[None]))[0]

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Embed one text; repeated texts come from a cache.

        Returns:
            float32 (embedding_size,) of unit length, read-only. A text of more than `token_budget`
            tokens is cut to that many.
        """
        return self._embedded([text])[0]

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed several texts, float32 (N, embedding_size); see `encode_text`."""
        embeddings = np.empty((len(texts), self.embedding_size), dtype=np.float32)
        for row, embedding in zip(embeddings, self._embedded(texts), strict=True):
            row[:] = embedding
        return embeddings

    def describe(self) -> dict[str, Any]:
        """What this bundle is and what it really runs on, as JSON-ready values."""
        manifest = self.manifest
        dense = {} if self._dense is None else {"dense": self._dense.describe()}
        return {
            "name": manifest.name,
            "architecture": manifest.architecture,
            "precision": manifest.precision,
            "licence": manifest.licence,
            "source": manifest.source,
            "notice": manifest.notice,
            "backend": self.backend,
            "passed_over": self.passed_over,
            "image": self.image.describe(),
            "text": self._text.describe(),
            **dense,
        }

    def _embedded(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """One embedding per text, from the cache where it has them.

        The key is the row of tokens, not the text: its size is bounded, and texts that the model
        cannot tell apart share an entry.
        """
        rows = self._tokenizer.rows(list(texts))
        keys = [row.tobytes() for row in rows]
        found = {key: self._cache.get(key) for key in keys}
        missing = [i for i, key in enumerate(keys) if found[key] is None]
        for start in range(0, len(missing), self._text.batch):
            batch = missing[start : start + self._text.batch]
            fresh = self._text.encode(rows[batch])
            fresh.flags.writeable = False
            for i, embedding in zip(batch, fresh, strict=True):
                found[keys[i]] = embedding
                self._cache.put(keys[i], embedding)
        return [embedding for key in keys if (embedding := found[key]) is not None]
