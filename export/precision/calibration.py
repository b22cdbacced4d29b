"""Where to cut off activations, so that int8 serves the values that pictures really give.

An activation's range is cut at the magnitude that makes the least squared error over the tiles:
what is beyond is clipped, what is within is rounded in finer steps. On nano-icons (12 scenes, 10
prompts) relevance then moves by 0.0103 on average, by 0.0139 with the plain maximum, and by 0.0111,
0.0111 and 0.0284 with percentiles of 99.999, 99.99 and 99.9. More tiles than `MOST_TILES` change
nothing: with 32, 128 and 512 others it is 0.0101, 0.0105 and 0.0108.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.backends.cpu import CpuSession
from models.backends.ort import ort

MOST_TILES: Final = 128
"""Tiles that are looked at; drawn from all that there are."""

_SEED: Final = 20
_BINS: Final = 2048
"""Of the histogram of magnitudes: sixteen to a step of int8 when nothing is cut off."""
_CUTS: Final = np.linspace(1 / 32, 1.0, 125)
"""Candidates, as shares of the largest magnitude."""


def drawn_tiles(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most `MOST_TILES` of (N, S, S, 3) tiles, always the same ones."""
    order = np.random.default_rng(_SEED).permutation(len(tiles))
    return tiles[order[:MOST_TILES]]


def find_ranges(content: bytes, names: Sequence[str], tiles: NDArray[np.uint8]) -> dict[str, float]:
    """The magnitude at which to cut off each activation, above 0.

    Args:
        content: Of a float32 image graph.
        names: Of values in it.
        tiles: uint8 (N, S, S, 3); one or more.
    """
    largest = dict.fromkeys(names, 0.0)
    for name, magnitudes in _magnitudes(content, names, tiles):
        largest[name] = max(largest[name], float(magnitudes.max()))
    # A second run rather than memory: a histogram needs to know its range.
    counts = {name: np.zeros(_BINS, np.int64) for name in names}
    for name, magnitudes in _magnitudes(content, names, tiles):
        counts[name] += histogram(magnitudes, largest[name])
    return {name: least_error_range(counts[name], largest[name]) for name in names}


def histogram(magnitudes: NDArray[np.float32], largest: float) -> NDArray[np.int64]:
    """Counts in even bins from 0 to `largest`."""
    scale = _BINS / largest if largest > 0 else 0.0
    bins = np.minimum((magnitudes * scale).astype(np.int32), _BINS - 1)
    return np.bincount(bins.ravel(), minlength=_BINS)


def least_error_range(counts: NDArray[np.int64], largest: float) -> float:
    """The range up to which symmetric int8 makes the least squared error, at most `largest`.

    Args:
        counts: Of magnitudes in even bins from 0 to `largest`.
        largest: The largest magnitude; if it is 0, any range will do, and it is 1.
    """
    if largest == 0:
        return 1.0
    values = (np.arange(len(counts)) + 0.5) * largest / len(counts)
    ranges = _CUTS * largest
    steps = ranges[:, None] / 127
    errors = np.minimum(np.rint(values / steps), 127) * steps - values
    return float(ranges[np.argmin(errors**2 @ counts)])


def _magnitudes(
    content: bytes, names: Sequence[str], tiles: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each activation's magnitudes, batch by batch."""
    model = onnx.load_model_from_string(content)
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for start in range(0, len(tiles), CpuSession.batch):
        feed = {"tiles": tiles[start : start + CpuSession.batch]}
        for name, values in zip(names, session.run(list(names), feed), strict=True):
            yield name, np.abs(values)
