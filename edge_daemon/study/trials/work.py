"""The unit of work: one question, sent in all the ways that are still missing, and answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import cv2

from edge_daemon.codecs import codec_class, configure_codecs, get_codec
from edge_daemon.errors import EdgeError
from edge_daemon.quantiser import Quantiser
from edge_daemon.settings import Settings
from edge_daemon.study.methods.desk import Desk
from edge_daemon.study.methods.method import Method, Prepared
from edge_daemon.study.methods.sending import Sent, sent
from edge_daemon.study.tasks.task import Question, Task
from edge_daemon.study.trials.trial import Failure, Sending, Trial

MOST_PICTURES: Final = 64
"""Decoded pictures of a question that are held, and judged, at once."""


@dataclass(frozen=True)
class Sendings:
    """One method, and the codecs that it is still to be tried with.

    Attributes:
        method: Of sending.
        codecs: Configurations, each with its quality.
    """

    method: Method
    codecs: tuple[Mapping[str, Any], ...]

    def key(self, config: Mapping[str, Any]) -> Sending:
        """By what names a trial with one of the codecs goes."""
        return self.method.name, config["id"], float(config["quality"])


@dataclass(frozen=True)
class Unit:
    """A question to be asked; picklable and small, for it is made where it is worked on.

    Attributes:
        task: Whose question.
        number: Of the question in its task.
        bundle: Name or path.
        settings: What codecs need of the process, and how prompts are distilled.
        sendings: What is missing.
    """

    task: Task
    number: int
    bundle: str
    settings: Settings
    sendings: tuple[Sendings, ...]


@dataclass(frozen=True)
class Answered:
    """What came of a unit.

    Attributes:
        number: Of the question in its task.
        question: Its id; its number where it could not be made.
        trials: In the order of the unit's sendings.
        failures: Of the others.
    """

    number: int
    question: str
    trials: list[Trial]
    failures: list[Failure]


def answer(unit: Unit) -> Answered:
    """Make a question, send it in every way and have all that arrives judged; in any process.

    An `EdgeError` costs no more than what it stopped: a trial, a method's trials, or the question.
    """
    cv2.setNumThreads(1)  # as many units run at once as there are cores
    configure_codecs(unit.settings)
    try:
        question = unit.task.question(unit.number)
    except EdgeError as mistake:
        name = str(unit.number)
        return Answered(unit.number, name, [], [Failure(name, mistake.code, str(mistake))])
    trials: list[Trial] = []
    failures: list[Failure] = []
    arriving = _arriving(unit, question, failures)
    while arrived := list(islice(arriving, MOST_PICTURES)):
        try:
            trials += _judged(unit.task, question, arrived)
        except EdgeError as mistake:
            failures.append(_failure(question, "judging", mistake))
    return Answered(unit.number, question.id, trials, failures)


@dataclass(frozen=True)
class _Arrived:
    method: str
    codec: str
    quality: float
    sent: Sent


def _arriving(unit: Unit, question: Question, failures: list[Failure]) -> Iterator[_Arrived]:
    """Pictures as the cloud has them; notes what failed on the way."""
    desk = Desk(question, unit.bundle, unit.settings.prompt)
    for sendings in unit.sendings:
        name = sendings.method.name
        refused: set[bool] = set()
        for config in sendings.codecs:
            codec_id, quality = config["id"], float(config["quality"])
            takes_map = codec_class(codec_id).takes_map()
            if takes_map in refused:
                continue
            try:
                codec = get_codec(config)
                ready = _prepared(desk, sendings.method, codec.quantiser, failures)
                if ready is None:
                    refused.add(takes_map)
                    continue
                arrived = sent(ready, codec, question.pixels)
            except EdgeError as mistake:
                what = f"{name}, {codec_id} at {quality:g}"
                failures.append(_failure(question, what, mistake))
            else:
                yield _Arrived(name, codec_id, quality, arrived)


def _prepared(
    desk: Desk, method: Method, quantiser: Quantiser, failures: list[Failure]
) -> Prepared | None:
    try:
        return method.prepare(desk, quantiser)
    except EdgeError as mistake:
        failures.append(_failure(desk.question, method.name, mistake))
        return None


def _judged(task: Task, question: Question, arrived: list[_Arrived]) -> list[Trial]:
    values = task.judge(question, [one.sent.decoded for one in arrived])
    return [
        Trial(
            question.id,
            one.method,
            one.codec,
            one.quality,
            one.sent.bytes,
            one.sent.pixels,
            one.sent.sent_pixels,
            judged,
        )
        for one, judged in zip(arrived, values, strict=True)
    ]


def _failure(question: Question, what: str, mistake: EdgeError) -> Failure:
    return Failure(question.id, mistake.code, f"{what}: {mistake}")
