"""The receiver's process for files that were carried: keeps what lies in a directory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_daemon.cloud.carried import Carried, File
from edge_daemon.cloud.keeping import Keeper
from edge_daemon.codecs import close_codecs, configure_codecs
from edge_daemon.errors import EdgeError, PayloadTooLargeError, Verbatim
from edge_daemon.lifecycle import EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.settings import Settings
from edge_daemon.uplink.transports.seldom import Seldom
from edge_daemon.wire.router import hard_bound

_log = logging.getLogger(__name__)

_SHARE_OF_LOOKING = 0.1


def run_inbox(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Keeps what arrives in `cloud.inbox` until SIGTERM or SIGINT.

    Args:
        settings: `cloud` and `limits` are used.
        ready: Called with the directory's path once it is watched.

    Returns:
        The process's exit code: 0, or 1 for a defect.

    Raises:
        StorageError: The directory for pictures cannot be used.
    """
    configure_codecs(settings)
    return asyncio.run(Inbox(settings).serve(ready))


class Inbox:
    """Takes files in order, verifies and decodes each, writes it down, and removes the file.

    A crash in between costs nothing: the file is still there, and is recognised as a duplicate.

    Args:
        settings: `cloud` and `limits` are used.
        poll_s: Seconds between looks; more where looking takes long.
        settle_s: Seconds that a damaged file must stay as it is before it is refused.
    """

    def __init__(self, settings: Settings, *, poll_s: float = 1.0, settle_s: float = 10.0) -> None:
        self._settings = settings
        self._directory = Path(settings.cloud.inbox)
        self._most_bytes = hard_bound(settings.limits.max_payload_bytes)
        self._poll_s = poll_s
        self._carried = Carried(self._directory, settle_s=settle_s, clock=time.monotonic)
        self._told: str | None = None
        self._unreadable = Seldom(every_s=60.0)
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        where = await self.startup()
        if ready is not None:
            ready(where)
        whole = await self.main_loop()
        await self.shutdown()
        return EXIT_CLEAN if whole else EXIT_DEFECT

    async def startup(self) -> str:
        """Opens the store and begins to look; returns the directory's path."""
        self._keeper = Keeper(self._settings)
        self._thread = ThreadPoolExecutor(1, "inbox")
        self._watcher = asyncio.create_task(self._watch(), name="cloud-inbox")
        _log.info(
            "event=ready bind=%s directory=%s remembered=%d",
            self._directory,
            self._settings.cloud.directory,
            self._keeper.remembered,
        )
        return str(self._directory)

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if it could not go on."""
        return await self.stop.wait_beside(self._watcher)

    async def shutdown(self) -> None:
        """Finishes the file in work."""
        self._watcher.cancel()
        await asyncio.gather(self._watcher, return_exceptions=True)
        self._thread.shutdown()
        close_codecs()
        self._keeper.close()
        _log.info("event=stopped")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = time.monotonic()
            files = await loop.run_in_executor(self._thread, self._look)
            pause_s = max(self._poll_s, (time.monotonic() - begun) / _SHARE_OF_LOOKING)
            for file in files:
                after_s = await loop.run_in_executor(self._thread, self._take, file)
                if after_s is not None:
                    pause_s = max(pause_s, after_s)
                    break
            await asyncio.sleep(pause_s)

    def _look(self) -> list[File]:
        try:
            files = self._carried.waiting()
        except OSError as mistake:
            self._tell(mistake.strerror or str(mistake))
            return []
        self._told = None
        return files

    def _take(self, file: File) -> float | None:
        """Keeps one file; seconds to wait if nothing can be kept now."""
        try:
            self._keep(file)
        except EdgeError as error:
            if error.retry_after_s is not None:
                _log.warning("event=postponed file=%r error=%r", str(file.path), str(error))
                return error.retry_after_s
            if self._carried.refuse(file, error):
                _log.warning("event=refused file=%r error=%r", str(file.path), str(error))
        except OSError as mistake:
            # A damaged medium, or one that was just pulled out; the others may still be readable.
            left_out = self._unreadable.admit(time.monotonic())
            if left_out is not None:
                _log.warning(
                    "event=file_unreadable file=%r left_out=%d problem=%r",
                    str(file.path),
                    left_out,
                    mistake.strerror,
                )
        except Exception:
            _log.exception("event=defect file=%r", str(file.path))
            self._carried.skip(file)
        else:
            self._carried.done(file)
        return None

    def _keep(self, file: File) -> None:
        if file.size > self._most_bytes:
            raise PayloadTooLargeError(
                "the file is too large for an envelope",
                value=Verbatim(f"{file.size} bytes"),
                remedy=f"carry at most {self._most_bytes} bytes",
            )
        self._keeper.keep(file.path.read_bytes())

    def _tell(self, problem: str) -> None:
        """Logs what is wrong with the inbox, once."""
        if self._told != problem:
            self._told = problem
            _log.warning(
                "event=inbox_unreadable directory=%s problem=%r remedy=%r",
                self._directory,
                problem,
                "mount the medium, or make the directory (cloud.inbox)",
            )
