"""The one shape that every inference backend takes, and the graph it promises to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

DYNAMIC: Final = -1
"""A dimension that may have any size."""


@dataclass(frozen=True)
class GraphSpec:
    """A graph's single input and output, as the manifest implies them.

    Attributes:
        input_name: Name of the input tensor; its first dimension is the dynamic batch.
        input_dtype: Its element type.
        input_shape: Its dimensions after the batch; `DYNAMIC` for any size.
        embedding_size: The output is float32 (batch, *output_dims, embedding_size).
        output_dims: Dimensions of the output between the batch and the embedding.
    """

    input_name: str
    input_dtype: type[np.uint8] | type[np.float32] | type[np.int64]
    input_shape: tuple[int, ...]
    embedding_size: int
    output_name: str = "embedding"
    output_dims: tuple[int, ...] = ()

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

    @staticmethod
    def dense(embedding_size: int) -> GraphSpec:
        """`dense.onnx`: `canvas` uint8 (N, H, W, 3) to `windows` float32 (N, h, w, D)."""
        sides = (DYNAMIC, DYNAMIC)
        return GraphSpec("canvas", np.uint8, (*sides, 3), embedding_size, "windows", sides)


class EncoderSession(Protocol):
    """One loaded encoder graph on one backend, safe to call from several threads."""

    batch: int
    """Most rows per run that pay here; more are never given."""

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings of a batch with the spec's dtype and (N, *input_shape).

        Returns:
            float32 (N, D), or (N, h, w, D) of a dense graph.
        """
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
