"""Whether the daemon lives, and whether it can take frames: by checks that really check."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_daemon.errors import EdgeError

_log = logging.getLogger(__name__)

Kind = Literal["live", "ready", "note"]
"""What a check's failure means: "live": a restart is needed; "ready": no frames can be taken now;
"note": nothing, it is only shown (e.g. a link that is down)."""

Check = Callable[[], Awaitable["str | None"]]
"""Runs on the daemon's event loop; says what is wrong, or `None`."""

ANSWER_S = 2.0
"""Seconds in which the event loop has to answer."""

CHECK_S = 1.5
"""Seconds in which one check has to; less, so that a slow check is told from a blocked loop."""

EVENT_LOOP = "event_loop"
"""Stands in a verdict for the loop itself."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong, by name of the check; `notes` are no reason to act."""

    problems: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Health:
    """The daemon's checks. Make it and call its coroutines on the daemon's event loop.

    Args:
        answer_s: Seconds in which the loop has to answer another thread (`ask`).
        check_s: Seconds in which one check has to.
    """

    def __init__(self, *, answer_s: float = ANSWER_S, check_s: float = CHECK_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer_s = answer_s
        self._check_s = check_s
        self._checks: dict[str, tuple[Kind, Check]] = {}
        self.latest: dict[str, str] = {}

    def add(self, name: str, check: Check, kind: Kind = "live") -> None:
        """Registers a check; one of the same name is replaced.

        Args:
            name: In the verdict, e.g. "spool".
            check: Must not block; may wait for at most `check_s`. An exception counts as a failure;
                an `EdgeError` may be the way in which it says what is wrong.
            kind: See `Kind`.
        """
        self._checks[name] = (kind, check)

    async def live(self) -> Verdict:
        """Whether all is alive that must be: also what a watchdog should ask."""
        return await self._verdict({"live"})

    async def failing(self) -> list[str]:
        """What `live` finds wrong, as lines of text: what `systemd.Watchdog` asks for."""
        return [f"{name}: {problem}" for name, problem in (await self.live()).problems.items()]

    async def ready(self) -> Verdict:
        """Whether frames can be taken now: alive, and ready."""
        verdict = await self._verdict({"live", "ready"})
        self.latest = verdict.problems
        return verdict

    async def watch(self, every_s: float = 5.0) -> None:
        """Keeps `latest`, the problems of `ready`, up to date for ever."""
        while True:
            await self.ready()
            await asyncio.sleep(every_s)

    def ask(self, kind: Literal["live", "ready"]) -> Verdict:
        """From another thread: the verdict, also when the loop cannot give one.

        Returns:
            Within `answer_s`; if the loop does not answer by then, that is the problem.
        """
        question = self.live() if kind == "live" else self.ready()
        try:
            answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:
            question.close()
            return Verdict({EVENT_LOOP: "the event loop has ended"})
        try:
            return answer.result(self._answer_s)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            answer.cancel()
            return Verdict({EVENT_LOOP: f"the event loop did not answer within {self._answer_s} s"})

    async def _verdict(self, kinds: set[Kind]) -> Verdict:
        asked = {
            name: (kind, check)
            for name, (kind, check) in self._checks.items()
            if kind == "note" or kind in kinds
        }
        found = await asyncio.gather(*(self._ask(name, one) for name, (_, one) in asked.items()))
        verdict = Verdict()
        for (name, (kind, _)), problem in zip(asked.items(), found, strict=True):
            if problem is not None:
                (verdict.notes if kind == "note" else verdict.problems)[name] = problem
        return verdict

    async def _ask(self, name: str, check: Check) -> str | None:
        try:
            asked = asyncio.ensure_future(check())
            try:
                done, _ = await asyncio.wait({asked}, timeout=self._check_s)
                return asked.result() if done else f"did not answer within {self._check_s} s"
            finally:
                asked.cancel()
        except EdgeError as error:
            return str(error)
        except Exception as mistake:
            _log.exception("event=check_failed check=%s", name)
            return f"the check itself failed: {type(mistake).__name__}"


def none_stalled(stalled: Callable[[], Iterable[str]]) -> Check:
    """A check that no worker has been at one piece of work for too long; given those that have."""

    async def check() -> str | None:
        names = list(stalled())
        if not names:
            return None
        return f"at one piece of work for longer than stages.stall_s: {', '.join(names)}"

    return check


def tasks_alive(tasks: Callable[[], Iterable[asyncio.Task[Any]]]) -> Check:
    """A check that no task has ended that must run for ever."""

    async def check() -> str | None:
        ended = [task.get_name() for task in tasks() if task.done()]
        return f"ended: {', '.join(ended)}" if ended else None

    return check
