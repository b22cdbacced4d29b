"""The trials of one task in one folder: a line per question, there for the next run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_daemon.codecs import Codec
from edge_daemon.errors import SettingsError
from edge_daemon.settings import PromptSettings
from edge_daemon.study.journal import StudyJournal
from edge_daemon.study.methods.desk import bundle_facts
from edge_daemon.study.methods.method import Method
from edge_daemon.study.tasks.task import Task
from edge_daemon.study.trials.trial import Sending, Trial
from edge_daemon.study.trials.work import Answered


class TrialJournal:
    """All trials of a task that were ever made in a folder.

    Task, bundle, prompt settings and version are the folder's; methods, codecs and questions may be
    added, as long as names keep their meaning.

    Args:
        folder: Where it is or will be.
        task: Whose trials.
        methods: That will be tried.
        codecs: That will be tried, at any quality.
        bundle: Name or path.
        prompt: How prompts are distilled.

    Raises:
        EdgeError: See `StudyJournal`; or one codec is given with several options.
        BundleError: A bundle is not there.
    """

    def __init__(
        self,
        folder: Path,
        task: Task,
        methods: Sequence[Method],
        codecs: Sequence[Codec],
        bundle: str,
        prompt: PromptSettings,
    ) -> None:
        facts = {
            "edge_daemon": version("edge-daemon"),
            "task": {"name": task.name, **task.facts()},
            "bundle": bundle_facts(bundle),
            "prompt": prompt.model_dump(mode="json"),
        }
        file = folder / f"trials-{task.name}.jsonl"
        self._journal = StudyJournal(file, facts, _meanings(methods, codecs))
        self._found: dict[int, dict[Sending, Trial]] = {}
        for number, trials in self._journal.read(_trials):
            self._file_away(number, trials)

    def __enter__(self) -> TrialJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()

    def of(self, number: int) -> Mapping[Sending, Trial]:
        """What is known of a question by its number."""
        return self._found.get(number, {})

    def add(self, answered: Answered) -> None:
        """Keep what came of a unit; it is on the disk when the call returns.

        Raises:
            StorageError: It could not be written.
        """
        if answered.trials:
            self._journal.add(_line(answered))
            self._file_away(answered.number, answered.trials)

    def _file_away(self, number: int, trials: Sequence[Trial]) -> None:
        known = self._found.setdefault(number, {})
        known.update({one.sending: one for one in trials})


def _meanings(methods: Sequence[Method], codecs: Sequence[Codec]) -> dict[str, Any]:
    """What names stand for; qualities are no part of a codec's."""
    meanings: dict[str, Any] = {}
    told = [
        *((f"method {one.name}", dict(one.facts())) for one in methods),
        *((f"codec {one.codec_id}", _codec_facts(one)) for one in codecs),
    ]
    for name, meaning in told:
        if meanings.setdefault(name, meaning) != meaning:
            raise SettingsError(
                f"one study cannot have two of {name}",
                remedy="name them differently, or make two studies in two folders",
            )
    return meanings


def _codec_facts(codec: Codec) -> dict[str, Any]:
    status, config = codec.status(), codec.get_config()
    options = {name: value for name, value in config.items() if name not in {"id", "quality"}}
    return {"encoder": status.encoder, "version": status.version, "options": options}


def _line(answered: Answered) -> dict[str, Any]:
    return {
        "number": answered.number,
        "question": answered.question,
        "trials": [
            [one.method, one.codec, one.quality, one.bytes, one.pixels, one.sent_pixels, one.values]
            for one in answered.trials
        ],
    }


def _trials(line: dict[str, Any]) -> tuple[int, list[Trial]]:
    question = line["question"]
    return line["number"], [
        Trial(question, *fields, values=tuple(values)) for *fields, values in line["trials"]
    ]
