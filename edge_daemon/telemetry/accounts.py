"""Figures per camera, of a bounded number of cameras."""

from __future__ import annotations

import threading
from collections import OrderedDict

MOST_CAMERAS = 64
"""Cameras with an account of their own: those seen last."""

THE_REST = "(other)"
"""The account of all others; no client id has brackets."""

_FIGURES = ("frames", "source_bytes", "envelope_bytes", "dropped")


class Accounts:
    """What each camera sent, and what became of it, since the start. Thread-safe.

    Sums stay right: the account of a camera that was not seen for longest is added to that of the
    rest when another needs its place.
    """

    def __init__(self, most: int = MOST_CAMERAS) -> None:
        self._most = most
        self._cameras: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._rest: dict[str, int] | None = None
        self._lock = threading.Lock()

    def frame(self, camera: str, source_bytes: int, envelope_bytes: int) -> None:
        """A frame of this camera is done."""
        with self._lock:
            account = self._account(camera)
            account["frames"] += 1
            account["source_bytes"] += source_bytes
            account["envelope_bytes"] += envelope_bytes

    def dropped(self, camera: str) -> None:
        """A frame of this camera was dropped."""
        with self._lock:
            self._account(camera)["dropped"] += 1

    def table(self) -> dict[str, dict[str, int]]:
        """Camera to `frames`, `source_bytes`, `envelope_bytes` and `dropped`; seen last first."""
        with self._lock:
            table = {camera: dict(self._cameras[camera]) for camera in reversed(self._cameras)}
            if self._rest is not None:
                table[THE_REST] = dict(self._rest)
            return table

    def _account(self, camera: str) -> dict[str, int]:
        account = self._cameras.get(camera)
        if account is not None:
            self._cameras.move_to_end(camera)
            return account
        if len(self._cameras) >= self._most:
            _, longest_ago = self._cameras.popitem(last=False)
            rest = self._rest or dict.fromkeys(_FIGURES, 0)
            self._rest = {name: rest[name] + longest_ago[name] for name in _FIGURES}
        account = self._cameras[camera] = dict.fromkeys(_FIGURES, 0)
        return account
