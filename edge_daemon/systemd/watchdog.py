"""Feeds the service manager's watchdog, but only while everything was seen to move.

A watchdog that is fed by a timer proves that the timer runs. This one asks first, and stays silent
about a daemon that is up and does nothing; the service manager then ends it and starts another one.
A blocked event loop is silent by itself. So is a check that does not answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping

from edge_daemon.systemd.notify import Notifier

_log = logging.getLogger(__name__)

Alive = Callable[[], Awaitable[list[str]]]
"""Names what does not move any more; an empty list if everything does."""

CHECK = "the liveness check"
"""What is named when the check itself does not answer, or fails."""


def watchdog_period_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two feedings, half of what the service manager allows.

    Returns:
        `None` if no watchdog waits for this process: WATCHDOG_USEC is absent, or WATCHDOG_PID names
        another process, such as the parent that this one inherited its environment from.
    """
    try:
        allowed_usec = int(environment.get("WATCHDOG_USEC", "0"))
        whom = int(environment.get("WATCHDOG_PID") or os.getpid())
    except ValueError:
        _log.warning(
            "event=watchdog_unreadable usec=%r pid=%r",
            environment.get("WATCHDOG_USEC"),
            environment.get("WATCHDOG_PID"),
        )
        return None
    return allowed_usec / 2e6 if allowed_usec > 0 and whom == os.getpid() else None


class Watchdog:
    """Checks and feeds in turn, from `run` on until it is cancelled.

    Args:
        notifier: The way to the service manager.
        alive: The check.
        period_s: Seconds from one check to the next; a check that takes more than half of them
            counts as not answering.
        summary: One line on how things are, for `systemctl status`; called with each feeding.
    """

    def __init__(
        self,
        notifier: Notifier,
        alive: Alive,
        period_s: float,
        summary: Callable[[], str] = lambda: "",
    ) -> None:
        self._notifier = notifier
        self._alive = alive
        self._period_s = period_s
        self._summary = summary
        self._check: asyncio.Future[list[str]] | None = None
        self._hung: list[str] = []
        self._stopping = False

    def stopping(self) -> None:
        """An orderly stop has begun: from now on only the event loop has to move.

        Parts end one after another then, and how long they may take is limited by the service
        manager's own time for a stop.
        """
        self._stopping = True

    async def run(self) -> None:
        """Checks and feeds for ever."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                due = clock() + self._period_s
                hung = [] if self._stopping else await self._ask()
                self._tell(hung)
                if not hung:
                    self._notifier.alive(self._line())
                await asyncio.sleep(max(0.0, due - clock()))
        finally:
            if self._check is not None:
                self._check.cancel()

    async def _ask(self) -> list[str]:
        # A check that did not answer is waited for again, not asked again: others would pile up.
        if self._check is None:
            self._check = asyncio.ensure_future(self._alive())
        # Not `wait_for`, which until Python 3.12 may swallow a cancellation.
        await asyncio.wait({self._check}, timeout=self._period_s / 2)
        if not self._check.done():
            return [CHECK]
        check, self._check = self._check, None
        error = asyncio.CancelledError() if check.cancelled() else check.exception()
        if error is not None:
            _log.error("event=liveness_check_failed", exc_info=error)
            return [CHECK]
        return sorted(check.result())

    def _line(self) -> str:
        if self._stopping:
            return ""
        try:
            return self._summary()
        except Exception:
            _log.exception("event=summary_failed")
            return ""

    def _tell(self, hung: list[str]) -> None:
        if hung == self._hung:
            return
        if hung:
            _log.error("event=hung what=%r", ", ".join(hung))
            self._notifier.status(f"hung: {', '.join(hung)}; the watchdog will end this process")
        else:
            _log.warning("event=moves_again what=%r", ", ".join(self._hung))
            self._notifier.status("everything moves again")
        self._hung = hung
