"""Does one task's jobs, one after another, and writes down what came of each."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Set as AbstractSet
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_daemon.cloud.durable import Journal, writing_to
from edge_daemon.cloud.follow_up.jobs import Job, JobName, Task
from edge_daemon.cloud.kept import Kept
from edge_daemon.cloud.store import Store
from edge_daemon.errors import EdgeError, InternalError, StorageError, Verbatim

_log = logging.getLogger(__name__)


class Worker:
    """One task: its queue, its thread and its journal. Thread-safe.

    Args:
        task: What to do.
        journal: Closed by `end`.
        most_waiting: Jobs that may wait.

    Attributes:
        left_out: Jobs that found the queue full.
    """

    def __init__(self, task: Task, journal: Journal, most_waiting: int) -> None:
        self.task = task
        self.left_out = 0
        self._journal = journal
        self._most_waiting = most_waiting
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        # Apart from the queue's: who puts must not wait for a disk.
        self._writing = threading.Lock()
        self._stopping = self._ended = False
        # An answer that does not come must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"cloud-{task.name}", daemon=True)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    def done(self, store: Store) -> AbstractSet[JobName]:
        """The jobs of remembered frames that the journal knows."""
        return {name for name in self._journal.read(_name_of) if store.seen(name[:2]) is not None}

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def put(self, frame: Kept, but: AbstractSet[JobName] = frozenset()) -> int:
        """Queues what a frame owes this task; never waits.

        Args:
            frame: Any.
            but: Jobs that were done.

        Returns:
            How many jobs there was no room for.
        """
        if self.task.name not in frame.follow_up:
            return 0
        jobs = [Job(frame, prompt) for prompt in self.task.prompts_of(frame.header)]
        owed = [job for job in jobs if job.name not in but]
        with self._changed:
            room = self._most_waiting - len(self._waiting)
            self._waiting.extend(owed[:room])
            left_out = len(owed[room:])
            self.left_out += left_out
            self._changed.notify()
        return left_out

    def stop(self) -> None:
        """Begins nothing more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def end(self, patience_s: float) -> None:
        """Waits for the job in work, or gives it up after so many seconds."""
        if self._thread.is_alive():
            self._thread.join(patience_s)
        with self._writing:
            self._ended = True
            self._journal.close()
        unfinished = self.waiting + self._thread.is_alive()
        if unfinished:
            _log.info("event=follow_ups_left task=%s jobs=%d", self.task.name, unfinished)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                job = self._waiting.popleft()
            begun = time.monotonic()
            result = self._result(job)
            if result is not None:
                self._write(job, {"seconds": round(time.monotonic() - begun, 3), **result})

    def _result(self, job: Job) -> dict[str, Any] | None:
        """What became of a job; `None` if it is still owed."""
        try:
            return self.task.do(job)
        except EdgeError as error:
            owed = isinstance(error, StorageError) and error.retry_after_s is not None
            self._warn("postponed" if owed else "failed", job, error)
            return None if owed else {"error": error.to_dict()}
        except Exception as mistake:
            _log.exception(
                "event=defect task=%s client=%s sequence=%d", self.task.name, *job.frame.key
            )
            return {"error": _defect(mistake).to_dict()}

    def _write(self, job: Job, result: dict[str, Any]) -> None:
        client, sequence, prompt = job.name
        line = {
            "client": client,
            "sequence": sequence,
            **({} if prompt is None else {"prompt": prompt}),
            "finished": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            **result,
        }
        try:
            with self._writing, writing_to(Path(self.task.journal)):
                if self._ended:
                    return
                self._journal.append(line)
        except StorageError as error:
            self._warn("postponed", job, error)
            return
        if "error" not in result:
            _log.info(
                "event=followed_up task=%s client=%s sequence=%d seconds=%.3f",
                self.task.name,
                client,
                sequence,
                result["seconds"],
            )

    def _warn(self, what: str, job: Job, error: EdgeError) -> None:
        _log.warning(
            "event=follow_up_%s task=%s client=%s sequence=%d error=%r",
            what,
            self.task.name,
            *job.frame.key,
            str(error),
        )


def _name_of(line: dict[str, Any]) -> JobName:
    prompt = line.get("prompt")
    return str(line["client"]), int(line["sequence"]), None if prompt is None else str(prompt)


def _defect(mistake: Exception) -> InternalError:
    return InternalError(
        "the follow-up failed on this frame",
        value=Verbatim(type(mistake).__name__),
        remedy="report it with the cloud's log",
    )
