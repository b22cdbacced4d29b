"""Into a directory that somebody carries, for air-gapped sites.

`delivered` means here that the envelope is on the medium, synced. The link is up while something
can be written there: a medium that is missing, read-only or full is a link that is down, tried
again with back-off, and up again when it is mounted or files were taken away.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from edge_daemon.errors import EdgeError, SettingsError, StorageError
from edge_daemon.settings import DirectorySettings
from edge_daemon.uplink.transports.abc import Verdicts
from edge_daemon.uplink.transports.backoff import BackOff
from edge_daemon.uplink.transports.outbox import Outbox
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_GOOD_AFTER_S = 10.0


class DirectoryTransport:
    """Hands envelopes over as files, one at a time.

    Args:
        settings: Where, and how many bytes may lie there.
        longest_pause_s: Longest pause between attempts to use the directory, in seconds.
        draw: A number from 0 to 1, evenly distributed: the jitter.
        clock: A monotonic clock, in seconds.
    """

    cloud_answers: ClassVar[bool] = False

    def __init__(
        self,
        settings: DirectorySettings,
        *,
        longest_pause_s: float = 30.0,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(settings.path)
        self._outbox = Outbox(self._path, settings.max_bytes, clock=clock)
        self._back_off = BackOff(longest_pause_s, _GOOD_AFTER_S, draw=draw)
        self._clock = clock
        self._slot: tuple[Key, bytes] | None = None
        self._filled = asyncio.Event()
        self._up = self._wanted = False
        self._ups = 0
        self._wanted_bytes = 0
        self._told: str | None = None

    @property
    def task(self) -> asyncio.Task[None]:
        """The task that writes."""
        return self._task

    def describe(self) -> dict[str, str | int | None]:
        """For people: the directory, and how often it came back."""
        return {
            "kind": "directory",
            "peer": str(self._path) if self._up else None,
            "others": None if self._up else str(self._path),
            "reconnects": max(0, self._ups - 1),
        }

    async def open(self, verdicts: Verdicts) -> None:
        """Begins to look for the directory, which need not be there.

        Raises:
            SettingsError: It is there and is no directory.
        """
        if self._path.is_file():
            raise SettingsError(
                "the outbox is a file",
                value=str(self._path),
                remedy="name a directory (uplink.directory.path)",
            )
        self._verdicts = verdicts
        # A thread of its own: a medium may take its time, and others must not wait for it.
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._task = asyncio.create_task(self._run(), name="uplink-directory")

    async def send(self, key: Key, envelope: bytes, *, insist: bool = False) -> bool:
        """Takes an envelope if none is being written."""
        taken = self._up and self._slot is None
        if taken:
            self._slot = key, envelope
            self._filled.set()
        self._wanted = not taken
        return taken

    async def close(self) -> None:
        """Ends; what is being written is finished, and nobody is told."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            await self._reach()
            self._up = True
            self._ups += 1
            self._back_off.works(self._clock())
            self._told = None
            _log.info("event=link_up directory=%s", self._path)
            self._verdicts.link(up=True)
            self._offer()
            error = await self._hand_over()
            self._up, self._slot = False, None
            self._back_off.failed(self._clock())
            self._tell("link_down", error)
            self._verdicts.link(up=False)

    async def _reach(self) -> None:
        """Waits until what could not be written last would fit."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._outbox.check, self._wanted_bytes)
            except StorageError as error:
                self._tell("outbox_unusable", error)
            else:
                return
            await asyncio.sleep(self._back_off.pause_s())

    async def _hand_over(self) -> StorageError:
        """Writes what comes until something cannot be written; returns why."""
        loop = asyncio.get_running_loop()
        while True:
            self._filled.clear()
            if self._slot is None:
                await self._filled.wait()
                continue
            key, envelope = self._slot
            try:
                await loop.run_in_executor(self._thread, self._outbox.put, key, envelope)
            except StorageError as error:
                self._wanted_bytes = len(envelope)
                return error
            except EdgeError as error:
                self._slot = None
                self._verdicts.refused(key, error)
            else:
                self._slot = None
                self._verdicts.delivered(key)
            self._offer()

    def _offer(self) -> None:
        if self._wanted:
            self._wanted = False
            self._verdicts.ready()

    def _tell(self, event: str, error: StorageError) -> None:
        """Logs why, once."""
        if self._told != error.problem:
            self._told = error.problem
            _log.warning("event=%s directory=%s error=%r", event, self._path, str(error))
