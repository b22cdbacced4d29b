"""The one shape that every inference backend takes, and the graph it promises to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class GraphSpec:
    """A graph's single input and output, as the manifest implies them.

    Attributes:
        input_name: Name of the input tensor; its first dimension is the dynamic batch.
        input_dtype: Its element type.
        input_shape: Its dimensions after the batch.
        embedding_size: The output `embedding` is float32 (batch, embedding_size).
    """

    input_name: str
    input_dtype: type[np.uint8] | type[np.float32] | type[np.int64]
    input_shape: tuple[int, ...]
    embedding_size: int
    output_name: str = "embedding"

    @staticmethod
    def image(tile_size: int, embedding_size: int) -> GraphSpec:
        """`image.onnx`: `tiles` uint8 (N, S, S, 3), sRGB; the graph normalises them."""
        return GraphSpec("tiles", np.uint8, (tile_size, tile_size, 3), embedding_size)

    @staticmethod
    def normalised_image(tile_size: int, embedding_size: int) -> GraphSpec:
        """`image.onnx` of format 1: `pixels` float32 (N, 3, S, S), normalised by mean and std."""
        return GraphSpec("pixels", np.float32, (3, tile_size, tile_size), embedding_size)

    @staticmethod
    def text(context_length: int, embedding_size: int) -> GraphSpec:
        """`text.onnx`: `tokens` int64 (N, context_length)."""
        return GraphSpec("tokens", np.int64, (context_length,), embedding_size)


class EncoderSession(Protocol):
    """One loaded encoder graph on one backend, safe to call from several threads."""

    batch: int
    """Most rows per run that pay here; more are never given."""

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings, float32 (N, D), of a batch with the spec's dtype and (N, *input_shape)."""
        ...

    def describe(self) -> dict[str, Any]:
        """What this session really runs on, asked of the backend after the session was made."""
        ...


class SharedStream(Protocol):
    """A CUDA stream that others may queue work on, valid as long as the object."""

    address: int


def stream_of(session: EncoderSession) -> SharedStream | None:
    """The stream that a session works on; None unless it is one of CUDA's that it shares."""
    return getattr(session, "stream", None)
