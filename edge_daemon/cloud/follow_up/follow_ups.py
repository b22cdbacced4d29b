"""All that is done with kept frames: hands them over to the workers, finds again what is owed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_daemon.cloud.durable import Journal, writing_to
from edge_daemon.cloud.follow_up.jobs import Task
from edge_daemon.cloud.follow_up.worker import Worker
from edge_daemon.cloud.kept import Kept
from edge_daemon.cloud.store import Store
from edge_daemon.wire import EnvelopeHeader

_log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
"""Jobs that wait for one task."""

_STOP_S: Final = 5.0


class FollowUps:
    """All tasks of a cloud. Thread-safe.

    Args:
        tasks: What is to be done.
        store: Its frames are those that it may be done with.
        directory: The cloud's, for the journals.
        most_waiting: Jobs that may wait for one task.

    Raises:
        StorageError: A journal cannot be used.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        store: Store,
        directory: Path,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._workers: list[Worker] = []
        with writing_to(directory):
            for task in tasks:
                self._workers.append(Worker(task, Journal(directory / task.journal), most_waiting))
        if self._workers:
            self._recall(store)
        for worker in self._workers:
            worker.start()

    def wanted(self, header: EnvelopeHeader) -> list[str]:
        """Names of the tasks that have something to do with a frame."""
        return [worker.task.name for worker in self._workers if worker.task.prompts_of(header)]

    def put(self, frame: Kept) -> None:
        """Has done with a frame what its `follow_up` says, some time; never waits."""
        for worker in self._workers:
            left_out = worker.put(frame)
            if left_out:
                _log.warning(
                    "event=not_followed_up task=%s client=%s sequence=%d jobs=%d left_out=%d "
                    "remedy=%r",
                    worker.task.name,
                    *frame.key,
                    left_out,
                    worker.left_out,
                    "the queue is full; the next start finds it again",
                )

    def close(self, patience_s: float = _STOP_S) -> None:
        """Stops; what is in work has this many seconds to come to an end."""
        until = time.monotonic() + patience_s
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.end(max(0.0, until - time.monotonic()))

    def _recall(self, store: Store) -> None:
        done = [worker.done(store) for worker in self._workers]
        for frame in store.to_follow():
            for worker, names in zip(self._workers, done, strict=True):
                worker.put(frame, but=names)
        for worker in self._workers:
            _log.info(
                "event=follow_ups_found task=%s waiting=%d left_out=%d",
                worker.task.name,
                worker.waiting,
                worker.left_out,
            )
