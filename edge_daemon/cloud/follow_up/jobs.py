"""One thing to do with one frame, and what does such things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from edge_daemon.cloud.kept import Kept
from edge_daemon.wire import EnvelopeHeader

JobName = tuple[str, int, "str | None"]
"""Client, sequence, and the prompt if there is a job for each."""


@dataclass(frozen=True)
class Job:
    """One thing to do with one frame.

    Attributes:
        frame: What was kept.
        prompt: Which of its prompts it is about; `None`: all of the frame is one job.
    """

    frame: Kept
    prompt: str | None = None

    @property
    def name(self) -> JobName:
        """By this it is known in the journal."""
        return (*self.frame.key, self.prompt)


class Task(Protocol):
    """Something that is done with frames.

    Attributes:
        name: In the log's `follow_up`.
        journal: File below the cloud's directory that has a line for each job that was done.
    """

    name: ClassVar[str]
    journal: ClassVar[str]

    def prompts_of(self, header: EnvelopeHeader) -> Sequence[str | None]:
        """The jobs that a frame makes, each as its prompt or `None`; perhaps none."""
        ...

    def do(self, job: Job) -> dict[str, Any]:
        """Does a job; returns what the journal is to say of it.

        Raises:
            StorageError: With `retry_after_s`: the disk has trouble, and the job stays owed.
            EdgeError: It failed for good.
        """
        ...
