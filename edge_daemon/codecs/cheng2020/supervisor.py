"""Keeps one worker process, and never waits for it longer than agreed.

The worker is started by the first request and kept. It is killed, with whatever it started, when a
request runs out of time, when it answers what is no frame, and when this process ends; it ends by
itself when its input closes, so that a killed daemon leaves nothing behind. The next request starts
another one, at once after the first failure and with growing pauses after more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from edge_daemon.codecs.cheng2020.process import Answer, OutOfTimeError, WorkerProcess

PROTOCOL: Final = 1

_LONGEST_PAUSE_S = 60.0
_GRACE_S = 1.0  # a process that has closed its streams may take a moment to be gone

_log = logging.getLogger(__name__)


class WorkerError(Exception):
    """A request got no answer.

    Args:
        problem: Why, as a clause.
        retry_after_s: Seconds after which it is worth another try, where that is known.
    """

    def __init__(self, problem: str, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class Supervisor:
    """One worker process, one request at a time, from any number of threads.

    Args:
        command: Program and arguments of the worker.
        timeout_s: Seconds that a request may take, from the call to the answer.
        pause_s: Seconds without a worker after the second failure in a row; doubled by each more,
            up to a minute.
    """

    def __init__(
        self, command: Sequence[str | Path], *, timeout_s: float, pause_s: float = 1.0
    ) -> None:
        self._command = [str(part) for part in command]
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._failures = 0
        self._not_before = 0.0
        self._closed = False
        _SUPERVISORS.add(self)

    @property
    def running(self) -> bool:
        """Whether a worker is there already."""
        worker = self._worker
        return worker is not None and worker.alive()

    def request(self, header: dict[str, Any], payload: bytes = b"") -> Answer:
        """Ask the worker, which is started if need be.

        Raises:
            WorkerError: It did not start, did not answer in time, died, or answered no frame.
        """
        deadline = time.monotonic() + self._timeout_s
        # The lock is fetched once: a fork replaces it, and the one taken is the one to give back.
        lock = self._lock
        if not lock.acquire(timeout=self._timeout_s):
            raise WorkerError(
                f"the worker was busy with other pictures for {self._timeout_s:g} s",
                retry_after_s=self._timeout_s,
            )
        try:
            worker = self._ready_worker(deadline)
            answer = self._ask(worker, header, payload, deadline)
            self._failures = 0
            return answer
        finally:
            lock.release()

    def close(self) -> None:
        """End the worker for good; a request in work fails, and so do all after it."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.end()  # without the lock, which the request in work holds
        with self._lock:
            self._drop()

    def _ready_worker(self, deadline: float) -> WorkerProcess:
        if self._worker is not None and self._worker.alive():
            return self._worker
        self._drop()
        pause = self._not_before - time.monotonic()
        if pause > 0:
            raise WorkerError(f"the worker failed {self._failures} times in a row", pause)
        try:
            worker = self._worker = WorkerProcess(self._command)
        except OSError as error:
            self._count_failure()
            raise WorkerError(f"the worker cannot be started: {error}") from error
        if self._closed:  # looked at after `_worker` is set, and set by `close` before it looks
            self._drop()
            raise WorkerError("the worker was shut down")
        hello, _ = self._ask(worker, {"op": "hello", "protocol": PROTOCOL}, b"", deadline)
        if hello.get("protocol") != PROTOCOL:
            self._fail(worker)
            raise WorkerError(f"the worker does not speak protocol {PROTOCOL}: {str(hello)[:200]}")
        _log.info("event=worker_started pid=%d hello=%r", worker.pid, str(hello)[:200])
        return worker

    def _ask(
        self, worker: WorkerProcess, header: dict[str, Any], payload: bytes, deadline: float
    ) -> Answer:
        try:
            return worker.ask(header, payload, deadline)
        except OutOfTimeError:
            self._fail(worker)
            raise WorkerError(f"the worker took longer than {self._timeout_s:g} s") from None
        except (OSError, ValueError, RecursionError) as error:
            how = self._fail(worker, grace_s=_GRACE_S)
            raise WorkerError(f"the worker failed: {error} ({how})") from error
        except BaseException:  # such as KeyboardInterrupt: half a frame may be on its way
            self._fail(worker)
            raise

    def _fail(self, worker: WorkerProcess, grace_s: float = 0.0) -> str:
        how = worker.end(grace_s)
        self._drop()
        self._count_failure()
        _log.warning(
            "event=worker_failed pid=%d failures=%d how=%r", worker.pid, self._failures, how
        )
        return how

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()
            worker.close_streams()

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures > 1:
            pause = min(_LONGEST_PAUSE_S, self._pause_s * 2 ** min(self._failures - 2, 16))
            self._not_before = time.monotonic() + pause

    def forget(self) -> None:
        """In a forked child: let go of the parent's worker without ending it."""
        self._lock = threading.Lock()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.detach()
            # In a child its input must not stay open, or it would outlive the parent.
            worker.close_streams()


_SUPERVISORS: weakref.WeakSet[Supervisor] = weakref.WeakSet()


def _forget_all() -> None:
    for supervisor in list(_SUPERVISORS):
        supervisor.forget()


os.register_at_fork(after_in_child=_forget_all)
