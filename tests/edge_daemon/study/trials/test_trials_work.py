"""One question in all its ways: what is shared, what is bounded, and what an error costs."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from edge_daemon.codecs.cheng2020.resources import configure, current
from edge_daemon.errors import PromptError, UnsupportedError
from edge_daemon.quantiser import Quantiser
from edge_daemon.settings import Settings
from edge_daemon.study.methods.baselines import Plain
from edge_daemon.study.methods.catalogue import method_of
from edge_daemon.study.methods.desk import Desk
from edge_daemon.study.methods.method import Prepared
from edge_daemon.study.tasks.task import Pixels, Question
from edge_daemon.study.trials.work import MOST_PICTURES, Sendings, Unit, answer
from support.stand_in_task import StandInTask

JPEG = [{"id": "jpeg", "quality": quality} for quality in range(1, 101)]
WEBP = [{"id": "webp", "quality": quality} for quality in (20, 60)]


@pytest.fixture(autouse=True)
def _opencv_threads() -> Any:
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)


@dataclass(frozen=True)
class Counting:
    """Sends the source, and counts how often it was asked for; refuses where told to."""

    refuses: tuple[bool, ...] = ()
    name: str = "counting"
    count: Counter[bool] = field(default_factory=Counter[bool])

    def facts(self) -> Mapping[str, Any]:
        return {}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        self.count[quantiser.takes_map] += 1
        if quantiser.takes_map in self.refuses:
            raise PromptError("a stand-in for a bad prompt", remedy="ask something else")
        return Prepared(desk.question.pixels)


@dataclass(frozen=True)
class Watching(StandInTask):
    """Notes how many pictures it is shown at once; refuses the first time where told to."""

    refuses: bool = False
    shown: list[int] = field(default_factory=list[int])

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        self.shown.append(len(pictures))
        if self.refuses and len(self.shown) == 1:
            raise UnsupportedError("a stand-in for a consumer's failure", remedy="try again")
        return super().judge(question, pictures)


def unit_of(task: StandInTask, *sendings: Sendings, number: int = 0) -> Unit:
    return Unit(task, number, "nano-icons", Settings(), sendings)


def test_a_picture_is_prepared_for_every_quality_of_every_codec() -> None:
    method = Counting()
    answered = answer(unit_of(StandInTask(), Sendings(method, (*JPEG[:3], *WEBP, *JPEG[3:5]))))
    assert method.count == {True: 5, False: 2}
    assert [(one.codec, one.quality) for one in answered.trials] == [
        *(("jpeg", 1), ("jpeg", 2), ("jpeg", 3), ("webp", 20), ("webp", 60)),
        *(("jpeg", 4), ("jpeg", 5)),
    ]


def test_pictures_are_judged_together_but_not_too_many() -> None:
    task = Watching()
    answered = answer(unit_of(task, Sendings(Plain(), tuple(JPEG)), Sendings(Counting(), (*WEBP,))))
    assert task.shown == [MOST_PICTURES, 102 - MOST_PICTURES]
    assert len({one.sending for one in answered.trials}) == 102


def test_a_question_that_cannot_be_made_costs_itself() -> None:
    answered = answer(unit_of(StandInTask(broken=(3,)), Sendings(Plain(), (*WEBP,)), number=3))
    assert (answered.number, answered.question, answered.trials) == (3, "3", [])
    assert [(one.question, one.code) for one in answered.failures] == [("3", "damaged_image")]


def test_a_method_that_fails_costs_what_it_was_needed_for() -> None:
    method = Counting(refuses=(False,))
    answered = answer(
        unit_of(StandInTask(), Sendings(method, (*WEBP, JPEG[0])), Sendings(Plain(), (*WEBP,)))
    )
    assert [(one.method, one.codec) for one in answered.trials] == [
        *(("counting", "jpeg"), ("plain", "webp"), ("plain", "webp"))
    ]
    (failure,) = answered.failures
    assert (failure.question, failure.code) == ("q0", "bad_prompt")
    assert failure.problem.startswith("counting: bad_prompt: a stand-in for a bad prompt")
    assert method.count[False] == 1


def test_a_codec_that_fails_costs_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"id": "jpeg", "quality": 101}
    answered = answer(unit_of(StandInTask(), Sendings(Plain(), (JPEG[9], bad, JPEG[29]))))
    assert [one.quality for one in answered.trials] == [10, 30]
    (failure,) = answered.failures
    assert (failure.code, failure.question) == ("bad_quality", "q0")
    assert failure.problem.startswith("plain, jpeg at 101: bad_quality")


def test_a_consumer_that_fails_costs_what_it_was_shown() -> None:
    answered = answer(unit_of(Watching(refuses=True), Sendings(Plain(), tuple(JPEG))))
    assert [one.quality for one in answered.trials] == [*range(MOST_PICTURES + 1, 101)]
    (failure,) = answered.failures
    assert failure.problem.startswith("judging: unsupported: a stand-in for a consumer's failure")


def test_a_unit_travels_without_pixels() -> None:
    names = ("plain", "prefilter", "reference", "low-resolution", "oracle", "random", "no-overlap")
    unit = unit_of(StandInTask(), *(Sendings(method_of(name), (*WEBP,)) for name in names))
    sent = pickle.dumps(unit)
    assert len(sent) < 10_000
    assert pickle.loads(sent) == unit


def test_opencv_takes_one_thread() -> None:
    cv2.setNumThreads(2)
    answer(unit_of(StandInTask(), Sendings(Plain(), (*WEBP,))))
    assert cv2.getNumThreads() == 1


def test_codecs_are_told_what_they_need_wherever_it_runs() -> None:
    here = current()
    settings = Settings.model_validate({"cheng2020": {"threads": here.threads + 1}})
    answer(Unit(StandInTask(), 0, "nano-icons", settings, ()))
    try:
        assert current().threads == here.threads + 1
    finally:
        configure(**asdict(here))


def test_a_trial_is_the_same_whatever_is_tried_beside_it() -> None:
    few = answer(unit_of(StandInTask(), Sendings(method_of("prefilter"), (*WEBP,))))
    names = ("reference", "no-prompt", "prefilter", "no-overlap")
    many = answer(
        unit_of(StandInTask(), *(Sendings(method_of(name), (*JPEG[::40], *WEBP)) for name in names))
    )
    assert [one for one in many.trials if one.sending in {one.sending for one in few.trials}] == (
        few.trials
    )
    assert len({*np.array([one.bytes for one in many.trials])}) > 4
