"""How a long-running process of ours is told to stop or to reload, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

_log = logging.getLogger(__name__)

EXIT_CLEAN = 0
"""Stopped as asked, nothing lost."""

EXIT_DEFECT = 1
"""A part that must run for ever ended: a defect of ours, in the log."""

EXIT_ABANDONED = 4
"""Stopped as asked, but what was queued could not be delivered in time."""

EXIT_FORCED = 130
"""A second signal ended it at once."""


class StopRequest:
    """SIGTERM or SIGINT asks for an orderly stop; a second one ends the process at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def on_signals(self) -> None:
        """Listens to the signals; call it in the main thread, inside the event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def ask(self) -> None:
        """Asks for an orderly stop."""
        self._asked.set()

    async def wait_beside(self, *vital: asyncio.Task[None]) -> bool:
        """Waits until asked to stop.

        Args:
            *vital: Tasks that run for ever. If one ends, waiting ends, and its error is logged.

        Returns:
            Whether all vital tasks still run.
        """
        asked = asyncio.create_task(self._asked.wait())
        done, _ = await asyncio.wait({asked, *vital}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in vital:
            if task in done:
                error = None if task.cancelled() else task.exception()
                _log.critical("event=vital_task_ended task=%s", task.get_name(), exc_info=error)
        return not done.intersection(vital)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._asked.is_set():
            _log.warning("event=forced_stop signal=%s", number.name)
            logging.shutdown()
            # Threads in the middle of an encoder cannot be interrupted otherwise.
            os._exit(EXIT_FORCED)
        _log.info("event=stop_asked signal=%s hint=%r", number.name, "once more ends it at once")
        self._asked.set()


class ReloadRequest:
    """SIGHUP asks for the settings to be read anew; asking again while that happens counts once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def on_signal(self) -> None:
        """Listens to the signal; call it in the main thread, inside the event loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.ask)

    def ask(self) -> None:
        """Asks for a reload."""
        self._asked.set()

    async def wait(self) -> None:
        """Waits until somebody asks; who asks from now on asks for another one."""
        await self._asked.wait()
        self._asked.clear()
