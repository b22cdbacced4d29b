"""One study: every question under every condition, kept as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from edge_daemon.errors import EdgeError
from edge_daemon.pictures import PictureLimits, open_picture
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import ChatSettings, Settings
from edge_daemon.study.vlm.answers import Answered, Answers
from edge_daemon.study.vlm.asking import Asker
from edge_daemon.study.vlm.circular import Item, items_of
from edge_daemon.study.vlm.conditions import Condition, Source
from edge_daemon.study.vlm.extraction import extracted
from edge_daemon.study.vlm.prompts import prompt_of
from edge_daemon.study.vlm.questions import QuestionFile
from edge_daemon.study.vlm.sample import sample
from edge_daemon.study.vlm.scoring import Judged, Score, judged, scores_of
from edge_daemon.study.vlm.tables import Failure, Summary, summaries, write_tables


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes:
        summaries: Per condition.
        scores: Per condition and category.
        failures: Questions without an answer in this run, and why.
    """

    summaries: list[Summary]
    scores: list[Score]
    failures: list[Failure]


@dataclass(frozen=True)
class Progress:
    """How far a run is: questions and conditions that are done, all of them, and failures."""

    done: int
    total: int
    failed: int


def run_study(
    file: QuestionFile,
    conditions: Sequence[Condition],
    chat: ChatSettings,
    settings: Settings,
    output: Path,
    *,
    prefilter: Prefilter | None = None,
    circular: bool = False,
    limit: int | None = None,
    seed: int = 1,
    parallel: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Ask every question under every condition, but for what an earlier run was told already.

    An error costs one question under one condition; it is counted apart, and asked again by the
    next run. Tables hold all that is in the folder's journal.

    Args:
        file: The benchmark.
        conditions: What its pictures go through.
        chat: The model that is asked.
        settings: `bundle`, `prefilter` and `prompt` are noted, `limits` kept.
        output: Folder for journal and tables; made if it is not there.
        prefilter: By those settings; needed if a condition needs it.
        circular: See `items_of`.
        limit: Ask so many of the questions only.
        seed: Decides which.
        parallel: Requests at once.
        on_progress: Called now and then, from one thread.

    Raises:
        SettingsError: The folder holds another study, or the endpoint's key is missing.
        StorageError: An answer cannot be kept.
    """
    every = items_of(file.questions, circular=circular)
    items = sample(every, limit, seed)
    facts = _facts(file, chat, settings, circular=circular)
    failures = [Failure(row.line, row.index, "bad_row", row.problem) for row in file.bad]
    asker = Asker(chat)
    with Answers(output, facts) as answers:
        limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        work = _Work(file, conditions, asker, answers, prefilter, limits)
        done, total = 0, len(items) * len(conditions)
        failed: list[Failure] = []
        with ThreadPoolExecutor(parallel) as pool:
            waiting = [pool.submit(work.ask, item) for item in items]
            try:
                for one in as_completed(waiting):
                    failed += one.result()
                    done += len(conditions)
                    on_progress(Progress(done, total, len(failed)))
            except BaseException:
                work.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        failures += sorted(failed, key=lambda failure: failure.line)
        by_index = {item.question.index: item for item in every}
        found = [judged(by_index[one.index], one) for one in answers.all()]
        # Threads finish in any order; tables of the same answers are the same.
        found.sort(key=_order)
        write_tables(found, failures, output)
    return Outcome(summaries(found), scores_of(found), failures)


class _Work:
    """Asks items, in any number of threads."""

    def __init__(
        self,
        file: QuestionFile,
        conditions: Sequence[Condition],
        asker: Asker,
        answers: Answers,
        prefilter: Prefilter | None,
        limits: PictureLimits,
    ) -> None:
        self._file = file
        self._conditions = conditions
        self._asker = asker
        self._answers = answers
        self._prefilter = prefilter
        self._limits = limits
        self._stopped = Event()

    def stop(self) -> None:
        """Begin no further condition."""
        self._stopped.set()

    def ask(self, item: Item) -> list[Failure]:
        """Ask one under the conditions that are not done; returns what failed."""
        index = item.question.index
        missing = [one for one in self._conditions if (index, *_name(one)) not in self._answers]
        if not missing or self._stopped.is_set():
            return []
        try:
            picture = open_picture(self._file.picture_of(item.question), self._limits)
        except EdgeError as mistake:
            return [_failure(item, condition, mistake) for condition in missing]
        source = Source(picture.pixels, prompt_of(item.question), self._prefilter)
        failures: list[Failure] = []
        for condition in missing:
            if self._stopped.is_set():
                break
            try:
                answered = self._asked(item, source, condition)
            except EdgeError as mistake:
                failures.append(_failure(item, condition, mistake))
            else:
                self._answers.add(answered)
        return failures

    def _asked(self, item: Item, source: Source, condition: Condition) -> Answered:
        sent = source.sent(condition)
        said: list[str] = []
        for question in item.passes:
            said.append(self._asker.ask(prompt_of(question), sent.png))
            # One wrong rotation decides; the others would only cost.
            if extracted(question, said[-1]) != question.answer:
                break
        name = _name(condition)
        index = item.question.index
        return Answered(index, *name, sent.bytes, sent.pixels, sent.sent_pixels, tuple(said))


def _order(one: Judged) -> tuple[str, str, float, int]:
    sent = one.answered
    return sent.codec, sent.series, sent.quality, one.item.question.line


def _name(condition: Condition) -> tuple[str, str, float]:
    return condition.series, condition.codec.codec_id, condition.quality


def _failure(item: Item, condition: Condition, mistake: EdgeError) -> Failure:
    asked = item.question
    return Failure(asked.line, asked.index, mistake.code, str(mistake), *_name(condition))


def _facts(
    file: QuestionFile, chat: ChatSettings, settings: Settings, *, circular: bool
) -> dict[str, Any]:
    """What an answer depends on; of the endpoint's URL only its host, as others may hold keys."""
    return {
        "edge_daemon": version("edge-daemon"),
        "file": file.digest,
        "circular": circular,
        "endpoint": urlsplit(chat.base_url).netloc,
        "model": chat.model,
        "temperature": chat.temperature,
        "max_tokens": chat.max_tokens,
        "bundle": settings.bundle,
        "prefilter": settings.prefilter.model_dump(mode="json", by_alias=True),
        "prompt": settings.prompt.model_dump(mode="json", by_alias=True),
    }
