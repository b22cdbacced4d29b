"""What tiles look like: their signature, which is not taken before somebody needs it.

Most frames of a camera that moves, or of a scene that does, have no tile that is as it was. Then a
*glance* is enough: the colours of the row of patches across the middle of each tile. It is part of
the signature, so a tile that changed at a glance has changed; what the signature says beyond that
is asked only where the glance saw no change.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.signature import (
    Signature,
    cell_means,
    changed_patches,
    colours_changed,
    patches_of,
    tile_signature,
)


class Look:
    """Of N square tiles of one size. Thread-safe.

    Made by `of` or `known`. It holds the tiles until its signature is taken.
    """

    def __init__(self, tiles: NDArray[np.uint8] | None, signature: Signature | None) -> None:
        self._tiles = tiles
        self._signature = signature
        self._glanced: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, tiles: NDArray[np.uint8]) -> Look:
        """Of tiles, uint8 (N, side, side, 3), which must not be written to any more."""
        return cls(tiles, None)

    @classmethod
    def known(cls, signature: Signature) -> Look:
        """Of tiles that have this signature."""
        return cls(None, signature)

    @property
    def is_complete(self) -> bool:
        """Whether the signature is taken."""
        return self._signature is not None

    def complete(self) -> Signature:
        """The signature; taken now if it was not yet."""
        with self._lock:
            if self._signature is None:
                assert self._tiles is not None
                self._signature, self._tiles = tile_signature(self._tiles), None
            return self._signature

    def changed_since(self, before: Look, levels: float) -> NDArray[np.bool_]:
        """Which tiles changed, in any patch: bool (N,).

        Args:
            before: Of as many tiles of the same size.
            levels: As for `changed_patches`.
        """
        glance = colours_changed(before._glance(), self._glance(), levels).any(axis=(1, 2))
        if glance.all():
            return np.asarray(glance, np.bool_)
        patches = changed_patches(before.complete(), self.complete(), levels)
        return np.asarray(patches.any(axis=(1, 2)), np.bool_)

    def with_changed(self, newer: Look, changed: NDArray[np.bool_]) -> Look:
        """These tiles, with the newer ones where `changed`, bool (N,), says so."""
        if changed.all():
            return newer
        if not changed.any():
            return self
        return Look.known(self.complete().with_changed(newer.complete(), changed))

    def _glance(self) -> NDArray[np.uint8]:
        """The signature's cells of the middle row of patches."""
        with self._lock:
            if self._glanced is None and self._tiles is not None:
                self._glanced = _middle_cells(self._tiles)
            if self._glanced is not None:
                return self._glanced
        return _middle_row(self.complete())


def _middle_cells(tiles: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The cells of the middle row of patches; `None` where they are no whole pixels."""
    count, side = tiles.shape[:2]
    patches = patches_of(side)
    if count == 0 or side % (2 * patches):
        return None
    height = side // patches
    top = patches // 2 * height
    strips = np.ascontiguousarray(tiles[:, top : top + height])
    return cell_means(strips.reshape(count * height, side, 3), count, 2, 2 * patches)


def _middle_row(signature: Signature) -> NDArray[np.uint8]:
    top = 2 * (signature.steps.shape[1] // 2)
    return signature.cells[:, top : top + 2]
