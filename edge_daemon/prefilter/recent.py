"""The latest of each camera, for a bounded number of cameras."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Recent(Generic[Kept]):
    """One value per camera; the camera that was used least recently gives way. Thread-safe.

    Args:
        cameras: Most cameras, at least 1.
    """

    def __init__(self, cameras: int) -> None:
        self._cameras = cameras
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, camera: str) -> Kept | None:
        """A camera's value, if there is one."""
        with self._lock:
            if camera not in self._kept:
                return None
            self._kept.move_to_end(camera)
            return self._kept[camera]

    def put(self, camera: str, value: Kept) -> None:
        """A camera's new value."""
        with self._lock:
            self._kept[camera] = value
            self._kept.move_to_end(camera)
            if len(self._kept) > self._cameras:
                self._kept.popitem(last=False)
