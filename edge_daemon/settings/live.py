"""The settings in force, in a running daemon."""

from __future__ import annotations

from edge_daemon.settings import Settings


class Live:
    """Holds the settings that are in force now.

    Settings are immutable, and a reload replaces them as a whole: who fetches `now` once, for one
    frame, has settings that belong together. Parts keep this object, not what is in it. The
    reference is replaced in one step, so threads may read it without a lock.

    Args:
        settings: Those of the start.
    """

    def __init__(self, settings: Settings) -> None:
        self._now = settings

    @property
    def now(self) -> Settings:
        """The settings in force."""
        return self._now

    def replace(self, settings: Settings) -> None:
        """From now on, these are in force."""
        self._now = settings
