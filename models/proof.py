"""Whether two encoders agree: nearly the same embeddings of the same tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest
from models.preprocess import Normalising
from models.session import EncoderSession, GraphSpec

PROOF_RUNS: Final = (5, 13, 24, 40)
"""Tiles per run of the encoder that is proven: each of TensorRT's buckets, two of them padded."""

_LEAST_COSINE: Final = 0.999
_LEAST_COSINE_INT8: Final = 0.98

_SEED: Final = 6


@dataclass(frozen=True)
class Likeness:
    """How near one encoder's embeddings are to another's."""

    least_cosine: float
    mean_cosine: float
    max_abs_error: float
    rows: int
    """Embeddings compared."""

    def good(self, precision: str) -> bool:
        """Whether the two may stand in for each other, for a graph of this precision.

        NaN agrees with nothing.
        """
        return self.least_cosine >= least_cosine(precision)

    def __str__(self) -> str:
        return (
            f"cosine {self.least_cosine:.5f} at least and {self.mean_cosine:.5f} on average over "
            f"{self.rows} embeddings, components off by {self.max_abs_error:.4f} at most"
        )


def least_cosine(precision: str) -> float:
    """What is asked for between two backends' embeddings of a tile, of one graph.

    Kernels that sum in another order, or in 16 bits, stay above 0.9999; wrong layouts, wrong scales
    or a broken kernel fall far below. At 0.999 the score of a tile against a text is off by 0.002
    in the root mean square, for embeddings of 512 components. Where activations are rounded to 8
    bits, one rounded the other way in an early layer moves all that follow: 0.995 was measured
    between ONNX Runtime and OpenVINO.

    Args:
        precision: Of the graph, as in the manifest.
    """
    return _LEAST_COSINE_INT8 if precision.startswith("int8") else _LEAST_COSINE


def fixed_tiles(side: int, count: int = PROOF_RUNS[-1]) -> NDArray[np.uint8]:
    """The same tiles on every machine: blots of colour, from two to a side up to fine noise.

    Args:
        side: Pixels.
        count: How many.

    Returns:
        uint8 (count, side, side, 3).
    """
    rng = np.random.default_rng(_SEED)
    tiles = np.empty((count, side, side, 3), np.uint8)
    for index, tile in enumerate(tiles):
        cells = 2 ** (index % 7 + 1)
        blots = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        nearest = np.arange(side) * cells // side
        tile[...] = blots[np.ix_(nearest, nearest)]
    return tiles


def likeness(
    proven: EncoderSession, reference: EncoderSession, tiles: NDArray[np.uint8]
) -> Likeness:
    """Compare two encoders on some tiles.

    Args:
        proven: Is run on the first tiles, `PROOF_RUNS` at a time, as far as its batch goes.
        reference: Is run once over all of them.
        tiles: uint8 (N, S, S, 3), N at least 1.
    """
    expected = in_batches(reference, tiles)
    counts = sorted({min(count, proven.batch, len(tiles)) for count in PROOF_RUNS})
    found = [proven.encode(tiles[:count]) for count in counts]
    return compare(np.concatenate(found), np.concatenate([expected[:count] for count in counts]))


def likeness_of_graphs(
    proven: EncoderSession, reference: EncoderSession, spec: GraphSpec, manifest: Manifest
) -> Likeness:
    """Compare two sessions of one image graph on the fixed tiles, whatever the graph takes.

    Args:
        proven: See `likeness`.
        reference: Likewise.
        spec: Of the graph.
        manifest: Of its bundle.
    """
    if spec.input_dtype is not np.uint8:
        proven, reference = (
            Normalising(session, manifest.mean, manifest.std) for session in (proven, reference)
        )
    return likeness(proven, reference, fixed_tiles(manifest.tile_size))


def in_batches(session: EncoderSession, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Embeddings of any number of rows, at least 1, a batch at a time."""
    starts = range(0, len(rows), session.batch)
    return np.concatenate([session.encode(rows[i : i + session.batch]) for i in starts])


def compare(found: NDArray[np.float32], expected: NDArray[np.float32]) -> Likeness:
    """Compare embeddings, (N, D) each, row by row."""
    exact, wanted = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(wanted, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.sum(exact * wanted, axis=1) / lengths
    return Likeness(
        least_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        max_abs_error=float(np.abs(exact - wanted).max()),
        rows=len(found),
    )
