"""Settings read anew by a running daemon: what can change does, the rest is named.

A file with mistakes changes nothing, and neither does one whose parts contradict each other or the
bundle: what may fail is done before anything is replaced. The daemon goes on in any case.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from edge_daemon.lifecycle import ReloadRequest
from edge_daemon.settings import Settings
from edge_daemon.settings.changes import Changes, compare, taken_over
from edge_daemon.settings.live import Live
from edge_daemon.systemd import Notifier

_log = logging.getLogger(__name__)

Load = Callable[[], Settings]
"""Reads the settings as at the start: the same file, the same options on top."""

Commit = Callable[[], None]
"""Puts what was prepared in its place; called on the event loop, must not fail."""

Prepare = Callable[[Settings], Commit]
"""Checks settings and makes what they need, in a thread; raises what is wrong with them."""


class Reloader:
    """Reloads whenever it is asked to, from `run` on until it is cancelled.

    Args:
        live: The settings in force.
        load: Reads the new ones.
        prepare: Checks what will be in force, and returns what puts it there.
        notifier: Hears of every reload, and how it ended.
        request: Who asks.
    """

    def __init__(
        self,
        live: Live,
        load: Load,
        prepare: Prepare,
        notifier: Notifier,
        request: ReloadRequest,
    ) -> None:
        self._live = live
        self._load = load
        self._prepare = prepare
        self._notifier = notifier
        self._request = request

    async def run(self) -> None:
        """Waits for requests, and serves them one after another."""
        while True:
            await self._request.wait()
            await self.reload()

    async def reload(self) -> Changes | None:
        """Reads the settings and takes over what can be.

        Returns:
            What differed from the settings in force; `None` if the new ones were refused, and
            everything is as it was.
        """
        self._notifier.reloading()
        status = "the reload did not end"
        try:
            changes = await self._changed()
            status = _told(changes)
        except Exception as error:
            # Whatever the file did wrong, the daemon goes on; its author needs no traceback.
            _log.error("event=reload_refused error=%r hint=%r", str(error), "the old settings stay")
            _log.debug("event=reload_traceback", exc_info=error)
            status = f"reload refused, the old settings stay: {error}"
            return None
        else:
            return changes
        finally:
            self._notifier.ready(status)

    async def _changed(self) -> Changes:
        old = self._live.now
        new = await asyncio.to_thread(self._load)
        changes = compare(old, new)
        if changes.live:
            wanted = taken_over(old, new)
            commit = await asyncio.to_thread(self._prepare, wanted)
            # No other task runs between these two: every frame sees all of it or nothing.
            commit()
            self._live.replace(wanted)
        return changes


def _told(changes: Changes) -> str:
    live, restart = ", ".join(changes.live), ", ".join(changes.restart)
    _log.info("event=reloaded changed=%r needs_restart=%r", live, restart)
    if restart:
        _log.warning(
            "event=restart_needed keys=%r hint=%r", restart, "they stay as they were until then"
        )
        rest = f"; needs a restart: {restart}"
    else:
        rest = ""
    return f"reloaded, {f'changed: {live}' if live else 'nothing changed'}{rest}"
