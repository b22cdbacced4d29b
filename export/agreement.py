"""What a reduced precision changes: embeddings, the order of tiles, and the map of relevance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.prompt import distil
from edge_daemon.prefilter.relevance import block_relevance, tile_relevance
from edge_daemon.prefilter.tagger import make_tagger
from edge_daemon.prefilter.tiling import TileGrid
from export.errors import ExportError
from export.material import Material
from models import Bundle
from models.manifest import Agreement, Shift, Spread

Floats = NDArray[np.floating]


class _Maps(NamedTuple):
    """One picture, all prompts (P)."""

    name: str
    cosines: Floats
    """(N,), of the tiles."""
    ranks: Floats
    """(P,)"""
    same_best: NDArray[np.bool_]
    """(P,)"""
    shifts: Floats
    """(P, rows, columns): how far the relevance of each block moved."""


def measure(exact: Bundle, reduced: Bundle, material: Material, *, tolerance: float) -> Agreement:
    """Compare a bundle with the float32 one of the same towers.

    Each bundle's tiles are scored with its own texts, as in service, so that both graphs count.

    Raises:
        ExportError: The reduced bundle's embeddings are not finite numbers.
    """
    texts = _distilled(material.prompts, exact)
    before, after = exact.encode_texts(texts), reduced.encode_texts(texts)
    sharpness = exact.manifest.recommended.lambda_
    maps: list[_Maps] = []
    for picture in material.judged:
        tiles, tiles_after = exact.encode_tiles(picture.tiles), reduced.encode_tiles(picture.tiles)
        scores, scores_after = _products(before, tiles), _products(after, tiles_after)
        if not np.isfinite(scores_after).all():
            raise ExportError(
                f"embeddings of {picture.name} are not finite numbers in this precision",
                remedy="take another precision; this model's values are beyond its range",
            )
        moved = relevance_map(scores_after, picture.grid, sharpness) - relevance_map(
            scores, picture.grid, sharpness
        )
        maps.append(
            _Maps(
                picture.name,
                cosines(tiles, tiles_after),
                rank_correlation(scores, scores_after),
                scores.argmax(axis=1) == scores_after.argmax(axis=1),
                np.abs(moved),
            )
        )
    return Agreement(
        pictures=len(maps),
        pictures_of=material.pictures_of,
        tiles=sum(len(one.cosines) for one in maps),
        prompts=len(texts),
        prompts_of=material.prompts_of,
        tile_cosine=_spread([one.cosines for one in maps]),
        text_cosine=_spread([cosines(before, after)]),
        rank=_spread([one.ranks for one in maps]),
        same_best_tile=float(np.concatenate([one.same_best for one in maps]).mean()),
        relevance=_shift(maps, texts),
        tolerance=tolerance,
    )


def require(agreement: Agreement, precision: str) -> None:
    """Refuse a bundle that would look elsewhere than the float32 one.

    Raises:
        ExportError: The relevance of a block moved by more than the tolerance.
    """
    shift = agreement.relevance
    if shift.largest > agreement.tolerance:
        raise ExportError(
            f"{precision} moves the relevance of a block by {shift.largest:.3f} of 1 (tolerance "
            f"{agreement.tolerance:g}), in {shift.picture} for {shift.prompt!r}",
            remedy={
                "fp16": "take another precision",
                "int8": "give --pictures with more pictures that show what your cameras see, take "
                "--precision int8-dynamic or fp16",
                "int8-dynamic": "take --precision int8 with --pictures, or fp16",
            }[precision]
            + f", or accept it with --tolerance {_rounded_up(shift.largest):g}",
        )


def relevance_map(scores: Floats, grid: TileGrid, sharpness: float) -> NDArray[np.float64]:
    """What the default mode makes of scores, cut off at 1: sigma falls no further beyond.

    Args:
        scores: (P, N).
        grid: With N tiles.
        sharpness: lambda.

    Returns:
        float64 (P, rows, columns), 0..1.
    """
    return np.minimum(block_relevance(tile_relevance(scores, sharpness), grid), 1.0)


def cosines(one: Floats, other: Floats) -> NDArray[np.float64]:
    """Of each row of one with the same row of the other, (N,)."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / lengths


def rank_correlation(one: Floats, other: Floats) -> NDArray[np.float64]:
    """Spearman's, of each row of one with the same row of the other: (P, N) -> (P,).

    A row that is all equal has no order; two such rows agree (1), one does with no other (0).
    """
    first, second = (np.stack([_centred_ranks(row) for row in rows]) for rows in (one, other))
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    product = lengths[0] * lengths[1]
    both_flat = ((lengths[0] + lengths[1]) == 0).astype(np.float64)
    agreed = (first * second).sum(axis=1)
    return np.divide(agreed, product, out=both_flat, where=product > 0)


def _centred_ranks(values: Floats) -> NDArray[np.float64]:
    """Places in ascending order less their mean; equal values share the mean of their places."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes) - 1
    return ((last - (sizes - 1) / 2)[group]) - (len(values) - 1) / 2


def _distilled(prompts: Sequence[str], bundle: Bundle) -> list[str]:
    """What the prefilter would have the text encoder read, each text once."""
    tagger = make_tagger()
    return list(
        dict.fromkeys(
            distil(
                prompt,
                tagger=tagger,
                token_count=bundle.token_count,
                token_budget=bundle.token_budget,
            ).text
            for prompt in prompts
        )
    )


def _products(texts: NDArray[np.float32], tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of every text with every tile, (P, N)."""
    return np.einsum("pd,nd->pn", texts, tiles)


def _spread(parts: Sequence[Floats]) -> Spread:
    values = np.concatenate(parts)
    return Spread(mean=float(values.mean()), least=float(values.min()))


def _shift(maps: Sequence[_Maps], texts: Sequence[str]) -> Shift:
    largest = np.stack([one.shifts.max(axis=(1, 2)) for one in maps])
    worst, prompt = divmod(int(largest.argmax()), len(texts))
    return Shift(
        mean=float(np.concatenate([one.shifts.ravel() for one in maps]).mean()),
        largest=float(largest.max()),
        picture=maps[worst].name,
        prompt=texts[prompt],
    )


def _rounded_up(figure: float) -> float:
    return float(np.ceil(figure * 100) / 100)
