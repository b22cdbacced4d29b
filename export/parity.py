"""How far an exported graph is from the tower it came from, on random inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from export.errors import ExportError
from export.towers import TowerFacts, Towers
from models.manifest import TowerParity
from models.session import EncoderSession

MOST_ABS_ERROR = 1e-4
LEAST_COSINE = 0.9999
"""A float32 graph is some 1e-6 from torch; a wrong operator is far outside these bounds."""

LEAST_COSINE_REDUCED = 0.9
"""Likewise for reduced precisions, whose scales were not made for random input. Whether such a
graph will do is told by `export.agreement`, on pictures."""

BATCHES = (1, 3, 2)
"""Rows per run: one, and other numbers than the two that the exporter saw."""

_SEED = 20


Reference = Callable[[NDArray[Any]], NDArray[np.float64]]
"""From a batch as the graph takes it to the torch tower's embeddings, normalised in float64."""


def random_tiles(facts: TowerFacts) -> Iterator[NDArray[np.uint8]]:
    """Batches of tiles, uint8 (N, S, S, 3): coarse patches of colour under noise."""
    return random_pictures(BATCHES, facts.tile_size, facts.tile_size)


def random_pictures(batches: Sequence[int], height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """The same for pictures of any size; a batch for each number of rows."""
    rng = np.random.default_rng(_SEED)
    cell = max(1, min(height, width) // 8)
    down, across = -(-height // cell), -(-width // cell)
    for rows in batches:
        coarse = rng.random((rows, down, across, 3), dtype=np.float32)
        patches = coarse.repeat(cell, axis=1).repeat(cell, axis=2)[:, :height, :width]
        noise = rng.random((rows, height, width, 3), dtype=np.float32)
        yield (255 * (0.75 * patches + 0.25 * noise)).astype(np.uint8)


def random_tokens(facts: TowerFacts) -> Iterator[NDArray[np.int64]]:
    """Batches of token rows, int64 (N, L): start, any number of random tokens, end, padding."""
    rng = np.random.default_rng(_SEED)
    tokenizer = Tokenizer.from_str(facts.tokenizer_json)
    *start, end = tokenizer.encode("").ids
    special = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    every = set(tokenizer.get_vocab(with_added_tokens=True).values())
    content = np.asarray(sorted(every - special - {*start, end}), dtype=np.int64)
    budget = facts.context_length - len(start) - 1
    for rows in BATCHES:
        tokens = np.full((rows, facts.context_length), facts.pad_token_id, dtype=np.int64)
        for row, words in zip(tokens, rng.integers(0, budget + 1, size=rows), strict=True):
            stop = len(start) + words
            row[: len(start)] = start
            row[len(start) : stop] = rng.choice(content, size=words)
            row[stop] = end
        yield tokens


def measure(
    session: EncoderSession, reference: Reference, batches: Iterator[NDArray[Any]]
) -> TowerParity:
    """Compare a session with the torch tower that it was exported from."""
    worst, cosine, samples = 0.0, 1.0, 0
    for batch in batches:
        got = session.encode(batch).astype(np.float64)
        wanted = reference(batch)
        # numpy's maximum and minimum, unlike Python's, do not lose a NaN.
        worst = float(np.maximum(worst, np.abs(got - wanted).max()))
        lengths = np.linalg.norm(got, axis=-1) * np.linalg.norm(wanted, axis=-1)
        cosine = float(np.minimum(cosine, ((got * wanted).sum(axis=-1) / lengths).min()))
        samples += len(batch)
    return TowerParity(max_abs_error=worst, min_cosine=cosine, samples=samples)


def require(parity: TowerParity, graph: str) -> None:
    """Refuse a float32 graph that does not compute what its tower computes.

    Raises:
        ExportError: A component of a unit embedding is off by more than 1e-4, or a cosine is below
            0.9999; not-a-number counts as both.
    """
    good = parity.max_abs_error <= MOST_ABS_ERROR and parity.min_cosine >= LEAST_COSINE
    if not good:
        raise ExportError(
            f"{graph} differs from torch: max abs error {parity.max_abs_error:.2e} (allowed "
            f"{MOST_ABS_ERROR:.0e}), min cosine {parity.min_cosine:.6f} (needed {LEAST_COSINE})",
            remedy="check that the weights are finite, or try another torch release",
        )


def require_reduced(parity: TowerParity, graph: str) -> None:
    """Refuse a graph of reduced precision that computes something else.

    Raises:
        ExportError: A cosine is below 0.9.
    """
    if not parity.min_cosine >= LEAST_COSINE_REDUCED:
        raise ExportError(
            f"{graph} differs from torch: min cosine {parity.min_cosine:.4f} (needed "
            f"{LEAST_COSINE_REDUCED})",
            remedy="take another precision; this model's values do not fit into this one",
        )


def image_reference(towers: Towers) -> Reference:
    """The image tower's embeddings of tiles that are normalised here and not by the graph."""
    return pixels_reference(towers.image, towers.facts)


def pixels_reference(tower: nn.Module, facts: TowerFacts) -> Reference:
    """The embeddings of any tower that takes normalised planes."""
    mean, std = np.asarray(facts.mean), np.asarray(facts.std)

    def embed(tiles: NDArray[Any]) -> NDArray[np.float64]:
        pixels = np.moveaxis((tiles / 255.0 - mean) / std, 3, 1)
        return _unit(tower, pixels.astype(np.float32))

    return embed


def text_reference(towers: Towers) -> Reference:
    """The text tower's embeddings of token rows."""
    return partial(_unit, towers.text)


def _unit(tower: nn.Module, batch: NDArray[Any]) -> NDArray[np.float64]:
    with torch.inference_mode():
        raw = np.asarray(tower(torch.as_tensor(batch)).numpy(), dtype=np.float64)
    return raw / np.linalg.norm(raw, axis=-1, keepdims=True)
