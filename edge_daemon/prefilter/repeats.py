"""Tiles that need not be encoded again, because their camera showed the same before.

Rules:

1. A tile is compared with the tile *for which its embedding was computed*, not with the previous
   frame's: what drifts slowly is encoded anew once it has drifted by the threshold.
2. Look and embedding of a tile are replaced together or not at all. So whatever order the
   frames of a camera are scored in, from whatever threads, a reused embedding belongs to a tile
   that looks the same.
3. Another grid, or other masked regions, and everything is encoded anew. The prompt may change from
   frame to frame: embeddings of tiles know nothing of it.
4. Frames that are scored together reuse each other's tiles as if they came one by one.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.look import Look
from edge_daemon.prefilter.plan import Plan
from edge_daemon.prefilter.recent import Recent
from edge_daemon.prefilter.tiling import TileGrid
from edge_daemon.settings import Region, VideoSettings

Key = tuple[TileGrid | None, tuple[Region, ...]]
"""What must be the same for tiles to be comparable."""


@dataclass(frozen=True)
class _Remembered:
    key: Key
    look: Look
    embeddings: NDArray[np.float32]
    """float32 (N, embedding size), of the tiles that have that look."""


@dataclass(frozen=True)
class _Sourced:
    """The same, while the encoder has not run yet: where each embedding will come from."""

    key: Key
    look: Look
    sources: NDArray[np.intp]
    """(N,): a row of what will be encoded if 0 or more, else ~row of what is known."""


@dataclass(frozen=True)
class Embedded:
    """One plan's tiles, embedded."""

    embeddings: NDArray[np.float32]
    """float32 (N, embedding size)."""
    encoded: int
    """How many of them the encoder was run for."""


class TileMemory:
    """The last tiles of each camera, with their embeddings. Thread-safe.

    Per camera and tile it holds 2.7 kB and an embedding: with 40 tiles and 512 components 190 kB;
    and the tiles themselves, until their `Look` is complete.

    Args:
        settings: How many cameras, and how much of a difference counts.

    Attributes:
        levels: Grey levels that count as a change, from the next batch on.
    """

    def __init__(self, settings: VideoSettings) -> None:
        self.levels = settings.change_levels
        self._remembered: Recent[_Remembered] = Recent(settings.cameras)
        self._hits: Counter[str] = Counter(tiles_encoded=0, tiles_reused=0, frames_unchanged=0)
        self._lock = threading.Lock()

    def hits(self) -> dict[str, int]:
        """Counts: `tiles_encoded`, `tiles_reused`, `frames_unchanged` (no tile was encoded)."""
        with self._lock:
            return dict(self._hits)

    def foresee(self, plan: Plan) -> None:
        """Finds out already what `begin` will most likely need to know of a plan's tiles.

        All frames share the thread that `begin` is called in.
        """
        remembered = None if plan.camera is None else self._remembered.get(plan.camera)
        if plan.look is not None and remembered is not None and remembered.key == _key(plan):
            plan.look.changed_since(remembered.look, self.levels)

    def begin(self, plans: Sequence[Plan]) -> Batch:
        """Find out what has to be encoded for plans that are scored together."""
        batch = Batch(self.levels)
        for plan in plans:
            batch.add(plan, None if plan.camera is None else self._remembered.get(plan.camera))
        return batch

    def finish(self, batch: Batch, encoded: NDArray[np.float32]) -> list[Embedded]:
        """Put together what was known and what is new, and remember it.

        Args:
            batch: Of `begin`.
            encoded: The embeddings of `batch.tiles()`.

        Returns:
            One per plan, in order.
        """
        embedded = batch.embedded(encoded)
        for camera, remembered in batch.learnt(encoded):
            self._remembered.put(camera, remembered)
        with self._lock:
            for one in embedded:
                total = len(one.embeddings)
                self._hits["tiles_encoded"] += one.encoded
                self._hits["tiles_reused"] += total - one.encoded
                self._hits["frames_unchanged"] += total > 0 and one.encoded == 0
        return embedded


class Batch:
    """Plans that are scored together. Made by `TileMemory.begin`, used by one thread."""

    def __init__(self, levels: float) -> None:
        self._levels = levels
        self._chosen: list[NDArray[np.uint8]] = []
        self._encoded = 0
        self._known: list[NDArray[np.float32]] = []
        self._known_rows = 0
        self._sources: list[NDArray[np.intp]] = []
        self._counts: list[int] = []
        self._latest: dict[str, _Sourced] = {}

    def tiles(self) -> NDArray[np.uint8]:
        """What is to be encoded: uint8 (tiles, side, side, 3)."""
        return np.concatenate(self._chosen)

    def add(self, plan: Plan, remembered: _Remembered | None) -> None:
        """One more plan.

        Args:
            plan: Of any camera, or of none.
            remembered: Of its camera, from before this batch.
        """
        sources: NDArray[np.intp] = np.empty(len(plan.tiles), np.intp)
        changed = np.ones(len(plan.tiles), np.bool_)
        before = self._before(plan, remembered)
        if plan.look is not None and before is not None:
            changed = plan.look.changed_since(before.look, self._levels)
            sources[~changed] = before.sources[~changed]
        count = int(changed.sum())
        sources[changed] = np.arange(self._encoded, self._encoded + count)
        self._encoded += count
        self._chosen.append(plan.tiles if count == len(plan.tiles) else plan.tiles[changed])
        self._sources.append(sources)
        self._counts.append(count)
        if plan.camera is not None and plan.look is not None:
            look = plan.look
            if before is not None:
                look = before.look.with_changed(look, changed)
            self._latest[plan.camera] = _Sourced(_key(plan), look, sources)

    def _before(self, plan: Plan, remembered: _Remembered | None) -> _Sourced | None:
        """What the plan's tiles are to be compared with."""
        key = _key(plan)
        latest = None if plan.camera is None else self._latest.get(plan.camera)
        if latest is not None:
            return latest if latest.key == key else None
        if remembered is None or remembered.key != key:
            return None
        rows = np.arange(self._known_rows, self._known_rows + len(remembered.embeddings))
        self._known.append(remembered.embeddings)
        self._known_rows += len(rows)
        return _Sourced(key, remembered.look, ~rows)

    def embedded(self, encoded: NDArray[np.float32]) -> list[Embedded]:
        """The plans' embeddings, in order."""
        table = self._table(encoded)
        return [
            Embedded(self._looked_up(table, sources), count)
            for sources, count in zip(self._sources, self._counts, strict=True)
        ]

    def learnt(self, encoded: NDArray[np.float32]) -> list[tuple[str, _Remembered]]:
        """What is now known of each camera."""
        table = self._table(encoded)
        return [
            (camera, _Remembered(one.key, one.look, self._looked_up(table, one.sources)))
            for camera, one in self._latest.items()
        ]

    def _table(self, encoded: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([*self._known, encoded])

    def _looked_up(
        self, table: NDArray[np.float32], sources: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        return table[np.where(sources < 0, ~sources, sources + self._known_rows)]


def _key(plan: Plan) -> Key:
    return plan.grid, plan.spending.mask
