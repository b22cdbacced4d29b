"""A small least-recently-used cache for text embeddings."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray


class EmbeddingCache:
    """Embeddings by key, bounded in number, safe to share between threads.

    Two threads that miss the same key at once both compute it and the second result is kept: the
    work is a few milliseconds and both results are equal, so no thread ever waits for another.

    Args:
        capacity: Most entries kept; the one unused for longest makes room.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._entries: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        """The embedding stored under `key`, now the most recently used, or `None`."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: bytes, embedding: NDArray[np.float32]) -> None:
        """Store an embedding; it is shared with every later caller, so it must be read-only."""
        if embedding.flags.writeable:
            raise ValueError("a cached embedding must be read-only, this one is writeable")
        with self._lock:
            self._entries[key] = embedding
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
