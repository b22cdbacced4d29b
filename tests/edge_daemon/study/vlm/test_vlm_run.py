"""Whole studies against a stand-in endpoint that looks at what it is asked."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from edge_daemon.codecs import get_codec
from edge_daemon.errors import SettingsError, UnsupportedError
from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import ChatSettings, PrefilterSettings, Settings
from edge_daemon.study.vlm import Outcome, run_study
from edge_daemon.study.vlm.answers import JOURNAL, Answers
from edge_daemon.study.vlm.conditions import Condition
from edge_daemon.study.vlm.questions import QuestionFile
from edge_daemon.study.vlm.run import Progress
from support.benchmark_tsv import SIZE, choice, model, pair, pixels_in, prompt_in, sees, write_tsv
from support.pictures import busy_picture
from support.stand_in_endpoint import (
    Asked,
    Part,
    StandInEndpoint,
    hangs_up,
    refuses,
    stand_in_endpoint,
)
from support.tiny_bundle import make_tiny_bundle

KEY = "sk-never-to-be-seen"
JPEG = {quality: get_codec({"id": "jpeg", "quality": quality}) for quality in (30, 80)}
PLAIN = [Condition("plain", codec) for codec in JPEG.values()]
ROWS = [choice(1, "red"), choice(2, "green"), choice(3, "blue")]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a study about rows, asking an endpoint; results lie in the folder `results`."""

    def run(
        served: StandInEndpoint,
        rows: Sequence[Mapping[str, object]] = ROWS,
        conditions: Sequence[Condition] = PLAIN,
        name: str = "a-model",
        **options: Any,
    ) -> Outcome:
        file = QuestionFile(write_tsv(tmp_path / "benchmark.tsv", rows))
        chat = ChatSettings(
            base_url=served.base_url, model=name, api_key_env="A_KEY", temperature=0.0, attempts=1
        )
        return run_study(file, conditions, chat, Settings(), tmp_path / "results", **options)

    return run


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


Ask = Callable[..., Outcome]


def table(tmp_path: Path, name: str) -> list[dict[str, str]]:
    with (tmp_path / "results" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def busy_row(**changes: object) -> dict[str, object]:
    png = to_png(busy_picture(320, 240))
    return choice(1, "red", image=base64.b64encode(png).decode("ascii"), **changes)


def test_a_row_for_each_question_and_condition(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served:
        outcome = ask(served)
    results = table(tmp_path, "results.csv")
    assert list(results[0]) == [
        *("series", "codec", "quality", "bytes", "pixels", "accuracy", "question"),
    ]
    keys = {(one["series"], one["codec"], one["quality"], one["question"]) for one in results}
    assert keys == {("plain", "jpeg", quality, n) for quality in ("30", "80") for n in "123"}
    assert len(results) == len(served.asked) == 6
    assert {one["accuracy"] for one in results} == {"1"}
    assert {one["pixels"] for one in results} == {str(SIZE[0] * SIZE[1])}
    assert [(one.quality, one.questions, one.accuracy) for one in outcome.summaries] == [
        (30, 3, 1.0),
        (80, 3, 1.0),
    ]
    assert outcome.failures == []


def test_the_endpoint_is_asked_as_openais_are(ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served:
        ask(served, ROWS[:1], PLAIN[:1])
    (asked,) = served.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    body = asked.json()
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("a-model", 0.0, 1024)
    assert prompt_in(asked).startswith("Question: What colour is it?\nOptions:\nA. red\n")


def test_the_endpoint_sees_what_the_codec_left(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served:
        ask(served, [busy_row()])
    source = busy_picture(320, 240)
    for asked, codec, result in zip(
        served.asked, JPEG.values(), table(tmp_path, "results.csv"), strict=True
    ):
        bitstream = codec.encode(source)
        decoded = codec.decode(bitstream, width=320, height=240)
        assert np.array_equal(pixels_in(asked), decoded)
        assert int(result["bytes"]) == len(bitstream)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("vlm") / "bundle")
    return Prefilter.from_bundle(bundle, threads=1)


@pytest.mark.parametrize("allocation", ["smooth", "quantiser"])
def test_the_prefilter_goes_before_the_codec(
    tmp_path: Path, ask: Ask, tiny: Prefilter, allocation: Any
) -> None:
    prefilter = Prefilter(tiny.bundle, PrefilterSettings(allocation=allocation))
    conditions = [PLAIN[1], Condition("prefilter", JPEG[80])]
    with stand_in_endpoint(model(sees)) as served:
        ask(served, [busy_row()], conditions, prefilter=prefilter)
    plain, filtered = table(tmp_path, "results.csv")
    assert (plain["series"], filtered["series"]) == ("plain", "prefilter")
    assert int(filtered["bytes"]) < int(plain["bytes"])
    codec, prompt = JPEG[80], prompt_in(served.asked[1])
    pixels, report = prefilter(busy_picture(320, 240), prompt, quantiser=codec.quantiser)
    bitstream = codec.encode(pixels, report.offsets)
    assert int(filtered["bytes"]) == len(bitstream)
    decoded = codec.decode(bitstream, width=320, height=240)
    assert np.array_equal(pixels_in(served.asked[1]), decoded)


def test_where_the_sent_picture_has_another_size_both_are_told(
    tmp_path: Path, ask: Ask, tiny: Prefilter
) -> None:
    prefilter = Prefilter(tiny.bundle, PrefilterSettings(mode="reference"))
    with stand_in_endpoint(model(sees)) as served:
        ask(served, [busy_row()], [Condition("prefilter", JPEG[30])], prefilter=prefilter)
    height, width, _ = pixels_in(served.asked[0]).shape
    assert (width, height) == (448, 448)
    assert table(tmp_path, "results.csv")[0]["pixels"] == str(320 * 240)
    assert table(tmp_path, "answers.csv")[0]["sent_pixels"] == str(448 * 448)


def test_answers_are_kept_word_by_word(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(lambda asked: "Blue,\nI think")) as served:
        outcome = ask(served, [*ROWS, choice(4, "red", A="rouge")], PLAIN[:1])
    said = table(tmp_path, "answers.csv")
    assert {one["answer"] for one in said} == {"Blue,\nI think"}
    assert [(one["question"], one["expected"], one["extracted"]) for one in said] == [
        *(("1", "A", "C"), ("2", "B", "C"), ("3", "C", "C"), ("4", "A", "C"))
    ]
    assert [one["category"] for one in said[:3]] == ["of red", "of green", "of blue"]
    assert outcome.summaries[0].accuracy == 0.25


def test_what_chooses_nothing_is_wrong_and_told(ask: Ask) -> None:
    with stand_in_endpoint(model(lambda asked: "Hm.")) as served:
        (summary,) = ask(served, ROWS, PLAIN[:1]).summaries
    assert (summary.accuracy, summary.unread, summary.questions) == (0.0, 3, 3)


def test_mme(tmp_path: Path, ask: Ask) -> None:
    rows = [*pair(0, "red", "color", "blue"), *pair(2, "blue", "count", "green")]
    with stand_in_endpoint(model(sees)) as served:
        ask(served, rows, PLAIN[:1])
    scores = {one["group"]: one["score"] for one in table(tmp_path, "scores.csv")}
    assert scores == {"overall": "", "perception": "400", "color": "200", "count": "200"}


def test_circular_evaluation_asks_until_it_is_wrong(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(lambda asked: "A")) as served:
        ask(served, ROWS, PLAIN[:1], circular=True)
    # Red is A, then C; the others are wrong at once.
    assert Counter(one["question"] for one in table(tmp_path, "answers.csv")) == {
        "1": 2,
        "2": 1,
        "3": 1,
    }
    assert {one["accuracy"] for one in table(tmp_path, "results.csv")} == {"0"}
    assert len(served.asked) == 4


def test_circular_evaluation_is_right_if_all_are(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served:
        ask(served, ROWS, PLAIN[:1], circular=True)
    assert len(served.asked) == 9
    assert [one["accuracy"] for one in table(tmp_path, "results.csv")] == ["1", "1", "1"]
    said = table(tmp_path, "answers.csv")[:3]
    assert [(one["rotation"], one["extracted"]) for one in said] == [
        *(("0", "A"), ("1", "C"), ("2", "B"))
    ]


def test_an_error_is_neither_right_nor_wrong(tmp_path: Path, ask: Ask) -> None:
    bad = {**choice(9, "red"), "answer": "Q"}
    with stand_in_endpoint(
        model(sees), refuses("400 Bad Request", f"no: {KEY}"), model(sees)
    ) as served:
        outcome = ask(served, [*ROWS, bad], PLAIN[:1])
    assert [one["question"] for one in table(tmp_path, "results.csv")] == ["1", "3"]
    assert [(one.line, one.question, one.code) for one in outcome.failures] == [
        (5, "9", "bad_row"),
        (3, "2", "endpoint_refused"),
    ]
    row, refused = table(tmp_path, "failures.csv")
    assert (row["problem"], row["series"]) == ("its answer 'Q' is none of A, B, C", "")
    assert (refused["series"], refused["codec"], refused["quality"]) == ("plain", "jpeg", "30")
    assert outcome.summaries[0].accuracy == 1.0


def test_the_key_is_in_no_result(tmp_path: Path, ask: Ask) -> None:
    echo = model(lambda asked: f"A, said {asked.headers['authorization']}")
    with stand_in_endpoint(echo, refuses("401 Unauthorized", f"bad key {KEY}"), echo) as served:
        ask(served)
    assert len(served.asked) == 6
    for file in (tmp_path / "results").iterdir():
        assert KEY.encode() not in file.read_bytes()
    assert "[key]" in (tmp_path / "results" / "answers.csv").read_text(encoding="utf-8")


def test_a_damaged_picture_costs_its_question(tmp_path: Path, ask: Ask) -> None:
    damaged = choice(4, "red", image="QUJD" * 40)
    with stand_in_endpoint(model(sees)) as served:
        outcome = ask(served, [damaged, *ROWS])
    assert [one["question"] for one in table(tmp_path, "results.csv")] == [*"123123"]
    assert [(one.question, one.code, one.quality) for one in outcome.failures] == [
        ("4", "not_an_image", 30),
        ("4", "not_an_image", 80),
    ]


def test_what_failed_is_asked_again_and_only_that(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees), hangs_up, model(sees)) as served:
        assert len(ask(served).failures) == 1
        assert len(served.asked) == 6
        assert ask(served).failures == []
        assert len(served.asked) == 7
        before = (tmp_path / "results" / "results.csv").read_text(encoding="utf-8")
        assert ask(served).failures == []
    assert len(served.asked) == 7
    assert (tmp_path / "results" / "results.csv").read_text(encoding="utf-8") == before
    assert len(table(tmp_path, "results.csv")) == 6


def test_a_run_that_was_interrupted_goes_on(tmp_path: Path, ask: Ask) -> None:
    def interrupt(reached: Progress) -> None:
        if reached.done >= 4:
            raise KeyboardInterrupt

    rows = [choice(n, "red") for n in range(12)]
    with stand_in_endpoint(model(sees)) as served:
        with pytest.raises(KeyboardInterrupt):
            ask(served, rows, on_progress=interrupt)
        first = len(served.asked)
        assert 4 <= first < 24
        ask(served, rows)
    assert len(served.asked) == 24
    assert len(table(tmp_path, "results.csv")) == 24


def test_a_torn_line_is_asked_again(tmp_path: Path, ask: Ask) -> None:
    journal = tmp_path / "results" / JOURNAL
    with stand_in_endpoint(model(sees)) as served:
        ask(served)
        results = sorted(table(tmp_path, "results.csv"), key=str)
        journal.write_bytes(journal.read_bytes()[:-20])
        ask(served)
    assert len(served.asked) == 7
    assert sorted(table(tmp_path, "results.csv"), key=str) == results
    assert all(json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines())


def test_more_questions_and_conditions_may_follow(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served:
        ask(served, ROWS, PLAIN[:1], limit=2)
        assert len(served.asked) == 2
        ask(served, ROWS, PLAIN, limit=3)
    assert len(served.asked) == 6
    assert len(table(tmp_path, "results.csv")) == 6


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "another"}, "model"),
        ({"circular": True}, "circular"),
        ({"rows": ROWS[:2]}, "file"),
    ],
)
def test_another_study_does_not_mix_with_it(ask: Ask, change: dict[str, Any], what: str) -> None:
    with stand_in_endpoint(model(sees)) as served:
        ask(served)
        with pytest.raises(SettingsError, match=f"is of a study with another {what}"):
            ask(served, **change)
        ask(served)
    assert len(served.asked) == 6


def test_two_runs_do_not_share_a_folder(tmp_path: Path, ask: Ask) -> None:
    with stand_in_endpoint(model(sees)) as served, Answers(tmp_path / "results", {}):
        with pytest.raises(UnsupportedError, match="another process writes to this study"):
            ask(served)
        assert served.asked == []


def test_requests_run_in_parallel(ask: Ask) -> None:
    together = Barrier(3)

    def speak(asked: Asked) -> str:
        together.wait(timeout=20)
        return sees(asked)

    with stand_in_endpoint(model(speak)) as served:
        outcome = ask(served, ROWS, PLAIN[:1], parallel=3)
    assert not together.broken
    assert outcome.summaries[0].accuracy == 1.0


def test_progress_counts_questions_and_failures(ask: Ask) -> None:
    reached: list[Progress] = []
    script: list[Part] = [model(sees), refuses("400 Bad Request"), model(sees)]
    with stand_in_endpoint(*script) as served:
        ask(served, on_progress=reached.append)
    assert [(one.done, one.total) for one in reached] == [(2, 6), (4, 6), (6, 6)]
    assert reached[-1].failed == 1
