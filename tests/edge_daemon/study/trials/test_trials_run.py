"""Whole runs of a stand-in task: what is tried, what is kept, and that order does not matter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_daemon.codecs import get_codec
from edge_daemon.errors import SettingsError, UnsupportedError
from edge_daemon.settings import PrefilterSettings
from edge_daemon.study.methods.catalogue import method_of
from edge_daemon.study.methods.guided import Guided
from edge_daemon.study.trials import Progress, TaskOutcome, run, run_task
from edge_daemon.study.trials.work import Answered, Unit, answer
from models import BundleError
from support.processes import ROOT
from support.stand_in_task import StandInTask

Study = Callable[..., TaskOutcome]
Written = Callable[[], dict[str, str]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str, float]]:
    """Number, method, codec and quality of all that is tried, as it is tried."""
    record: list[tuple[int, str, str, float]] = []

    def recorded(unit: Unit) -> Answered:
        for one in unit.sendings:
            record.extend((unit.number, *one.key(config)) for config in one.codecs)
        return answer(unit)

    monkeypatch.setattr(run, "answer", recorded)
    return record


def test_every_question_is_sent_in_every_way(study: Study) -> None:
    outcome = study(codecs=[("jpeg", 40), ("webp", 60), ("jpeg", 10)])
    assert [(one.question, *one.sending) for one in outcome.trials] == [
        (f"q{number}", method, codec, quality)
        for number in range(6)
        for codec, qualities in (("jpeg", (10, 40)), ("webp", (60,)))
        for method in ("plain", "gaussian:2")
        for quality in qualities
    ]
    assert (outcome.task, outcome.questions) == ("stand-in", 6)
    assert (outcome.methods, outcome.codecs) == (("plain", "gaussian:2"), ("jpeg", "webp"))
    assert (outcome.failures, outcome.left_out) == ([], [])
    task, codec = StandInTask(), get_codec({"id": "jpeg", "quality": 40})
    question = task.question(2)
    bitstream = codec.encode(question.pixels)
    one = next(one for one in outcome.trials if one.question == "q2" and one.quality == 40)
    assert (one.bytes, one.pixels, one.sent_pixels) == (len(bitstream), 96 * 64, 96 * 64)
    assert [one.values] == task.judge(question, [codec.decode(bitstream, width=96, height=64)])


def test_what_is_asked_for_twice_is_tried_once(study: Study) -> None:
    outcome = study(methods=["gaussian", "gaussian:1"], codecs=[("jpeg", 40), ("jpeg", 40)])
    assert [one.question for one in outcome.trials] == [f"q{number}" for number in range(6)]
    assert (outcome.methods, outcome.codecs) == (("gaussian:1",), ("jpeg",))


def test_fewer_pixels_are_told_and_judged_at_the_sources_size(study: Study) -> None:
    outcome = study(methods=["downsample:2"], codecs=[("jpeg", 80)], limit=1)
    (one,) = outcome.trials
    assert (one.pixels, one.sent_pixels) == (96 * 64, 48 * 32)
    assert one.values[1] is not None


def test_what_is_known_is_not_tried_again(study: Study, written: Written, tried: list[Any]) -> None:
    outcome, tables = study(), written()
    assert len(tried) == 36
    assert study() == outcome
    assert written() == tables
    assert len(tried) == 36


def test_methods_codecs_qualities_and_questions_may_be_added(
    study: Study, tried: list[Any]
) -> None:
    study(StandInTask(count=2), methods=["plain"], codecs=[("jpeg", 10)])
    tried.clear()
    outcome = study(
        StandInTask(count=3), ["plain", "prefilter"], [("jpeg", 10), ("jpeg", 40), ("webp", 50)]
    )
    every = [(number, *one.sending) for number, one in enumerated(outcome)]
    assert len(every) == 3 * 2 * 3
    assert {*every} - {*tried} == {(0, "plain", "jpeg", 10.0), (1, "plain", "jpeg", 10.0)}
    assert len(tried) == len(every) - 2


def enumerated(outcome: TaskOutcome) -> Iterator[tuple[int, Any]]:
    return ((int(one.question[1:]), one) for one in outcome.trials)


def test_an_outcome_is_of_what_was_asked_for(
    study: Study, written: Written, tried: list[Any]
) -> None:
    outcome, tables = study(limit=4), written()
    study(methods=["gaussian:1", "plain", "gaussian:2"], codecs=[("jpeg", 10), ("webp", 50)])
    tried.clear()
    assert study(limit=4) == outcome
    assert written() == tables
    assert tried == []


@pytest.mark.parametrize("order", [(5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 4, 2)])
def test_the_order_of_arrival_does_not_matter(
    study: Study,
    tmp_path: Path,
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[int, ...],
) -> None:
    task = StandInTask(broken=(1, 4), unjudged=(2,))
    outcome, tables = study(task), written()
    (tmp_path / "results" / "trials-stand-in.jsonl").unlink()

    def in_order(
        function: Callable[[Unit], Answered], units: Iterable[Unit], **_: Any
    ) -> Generator[Answered]:
        waiting = list(units)
        yield from (function(waiting[place]) for place in order)

    monkeypatch.setattr(run, "results_of", in_order)
    assert study(task) == outcome
    assert written() == tables


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"task": StandInTask(seed=2)}, "task.seed"),
        ({"settings": PrefilterSettings(sigma_max=9)}, "method prefilter.prefilter.sigma_max"),
        ({"bundle": "nano-icons"}, "bundle.name"),
    ],
)
def test_another_study_does_not_mix_with_it(
    study: Study, written: Written, change: dict[str, Any], what: str
) -> None:
    given: dict[str, Any] = {"methods": ["plain", "prefilter"], "codecs": [("jpeg", 40)]}
    outcome, tables = study(**given), written()
    with pytest.raises(SettingsError, match=f"is of a study with another {what}"):
        study(**given, **change)
    assert written() == tables
    assert study(**given) == outcome


def test_a_bundle_that_was_changed_is_another(study: Study, tmp_path: Path, tiny: str) -> None:
    own = shutil.copytree(tiny, tmp_path / "own")
    given: dict[str, Any] = {"methods": [f"bundle:{own}"], "codecs": [("jpeg", 40)], "limit": 1}
    study(**given)
    manifest = json.loads((own / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps({**manifest, "notice": "trained again"})
    (own / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"another method bundle:.*bundle\.manifest_sha256"):
        study(**given)


def test_a_bundle_that_is_not_there_is_told_before_anything_is_tried(
    study: Study, tmp_path: Path
) -> None:
    for given in ({"bundle": "none-such"}, {"methods": ["plain", "bundle:none-such"]}):
        with pytest.raises(BundleError, match="no bundle 'none-such'"):
            study(**given)
    assert not (tmp_path / "results").exists()


def test_other_settings_do_not_concern_the_codec_alone(study: Study) -> None:
    study(methods=["plain", "prefilter"], codecs=[("jpeg", 40)], limit=1)
    again = study(methods=["plain"], codecs=[("jpeg", 40)], settings=PrefilterSettings(sigma_max=9))
    assert len(again.trials) == 6


def test_one_name_has_one_meaning(tmp_path: Path, tiny: str) -> None:
    twins = [Guided("ours", PrefilterSettings(sigma_max=sigma)) for sigma in (2, 3)]
    jpeg = get_codec({"id": "jpeg", "quality": 40})
    with pytest.raises(SettingsError, match="one study cannot have two of method ours"):
        run_task(StandInTask(), twins, [jpeg], tmp_path, bundle=tiny, backend="sequential")
    hevc = [get_codec({"id": "hevc", "preset": preset}) for preset in ("ultrafast", "fast")]
    with pytest.raises(SettingsError, match="one study cannot have two of codec hevc"):
        run_task(
            *(StandInTask(), [method_of("plain")], hevc, tmp_path),
            bundle=tiny,
            backend="sequential",
        )


def test_what_failed_costs_itself_and_is_tried_again(study: Study, tried: list[Any]) -> None:
    outcome = study(StandInTask(broken=(1, 4)))
    assert {one.question for one in outcome.trials} == {"q0", "q2", "q3", "q5"}
    assert [(one.question, one.code) for one in outcome.failures] == [
        ("1", "damaged_image"),
        ("4", "damaged_image"),
    ]
    tried.clear()
    mended = study(StandInTask(broken=(4,)))
    assert {number for number, *_ in tried} == {1, 4}
    assert [one.question for one in mended.failures] == ["4"]
    assert {one.question for one in mended.trials} == {"q0", "q1", "q2", "q3", "q5"}


def test_methods_that_need_a_map_are_left_out_without_one(study: Study) -> None:
    outcome = study(
        methods=["plain", "quantiser"], codecs=[("webp", 50), ("webp", 60), ("jpeg", 9)]
    )
    assert outcome.left_out == ["quantiser with webp, which takes no quantiser map"]
    ways = {(one.method, one.codec) for one in outcome.trials}
    assert ways == {("plain", "webp"), ("plain", "jpeg"), ("quantiser", "jpeg")}


def test_progress_counts_what_was_known_before(study: Study) -> None:
    reached: list[Progress] = []
    study(limit=2)
    study(StandInTask(broken=(3,)), on_progress=reached.append)
    assert [(one.done, one.total, one.failed) for one in reached] == [
        *((2, 6, 0), (3, 6, 0), (4, 6, 1), (5, 6, 1), (6, 6, 1))
    ]


def test_an_interrupted_run_goes_on(study: Study, written: Written, tried: list[Any]) -> None:
    def interrupt(reached: Progress) -> None:
        if reached.done == 3:
            raise KeyboardInterrupt

    threads = cv2.getNumThreads()
    with pytest.raises(KeyboardInterrupt):
        study(on_progress=interrupt)
    assert cv2.getNumThreads() == threads
    assert written() == {}
    study()
    assert sorted(tried) == sorted({*tried})
    assert len(tried) == 36


KILLED = """
import sys
from pathlib import Path
from edge_daemon.codecs import get_codec
from edge_daemon.study.methods.catalogue import method_of
from edge_daemon.study.trials import run_task
from support.stand_in_task import StandInTask

folder, bundle = sys.argv[1:]
codecs = [get_codec({"id": "jpeg", "quality": quality}) for quality in (10, 40)]
methods = [method_of("plain"), method_of("gaussian:2")]
task = StandInTask(count=300)
run_task(task, methods, codecs, Path(folder), bundle=bundle, backend="sequential")
"""


def test_a_run_that_was_killed_goes_on(
    study: Study, written: Written, tmp_path: Path, tiny: str, tried: list[Any]
) -> None:
    given: dict[str, Any] = {"task": StandInTask(count=300), "codecs": [("jpeg", 10), ("jpeg", 40)]}
    study(**given)
    uninterrupted = written()
    journal = tmp_path / "results" / "trials-stand-in.jsonl"
    journal.unlink()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "results", tiny],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'shared'}", "OMP_NUM_THREADS": "1"},
    )
    try:
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    kept = journal.read_bytes().count(b"\n") - 2  # but for facts and meanings
    assert 0 < kept < 300
    tried.clear()
    study(**given)
    assert len({number for number, *_ in tried}) == 300 - kept
    assert written() == uninterrupted


def test_two_runs_do_not_share_a_folder(study: Study) -> None:
    def again(reached: Progress) -> None:
        if reached.done == 1:
            study()

    with pytest.raises(UnsupportedError, match="another process writes to this study"):
        study(on_progress=again)


def test_a_task_that_cannot_be_asked_leaves_no_folder(study: Study, tmp_path: Path) -> None:
    class Unable(StandInTask):
        def check(self) -> int:
            raise UnsupportedError("a stand-in for a missing program", remedy="install it")

    with pytest.raises(UnsupportedError, match="missing program"):
        study(Unable())
    assert not (tmp_path / "results").exists()


def test_questions_beyond_the_last_are_not_asked(study: Study) -> None:
    assert study(StandInTask(count=2), limit=50).questions == 2
