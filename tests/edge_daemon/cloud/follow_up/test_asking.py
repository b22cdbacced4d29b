"""What a model is asked about frames, and what becomes of its answers, however it behaves."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.cloud.follow_up.asking import LONGEST_ANSWER
from edge_daemon.cloud.keeping import Keeper
from edge_daemon.semantic.coding import TextCoding, encode_payload
from edge_daemon.settings import Settings
from edge_daemon.settings.semantic import SideName
from support.pictures import busy_picture
from support.sealed import lines_of, sealed, sealed_text
from support.stand_in_endpoint import (
    Part,
    good,
    hangs_up,
    html,
    refuses,
    says,
    slow,
    stand_in_endpoint,
)
from support.waiting import wait_until

KEY = "sk-never-to-be-seen"


def keeper_of(directory: Path, base_url: str, **vlm: Any) -> Keeper:
    table = {"base_url": base_url, "model": "seer", "attempts": 1, "timeout_s": 5.0, **vlm}
    return Keeper(Settings.model_validate({"cloud": {"directory": str(directory), "vlm": table}}))


def answered(directory: Path, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(lines_of(directory, "answers.jsonl")) == count)
    return lines_of(directory, "answers.jsonl")


def test_each_prompt_of_a_picture_is_asked(tmp_path: Path) -> None:
    with stand_in_endpoint(says("Yes.", usage=(1000, 10)), says("Two.")) as model:
        options = {"temperature": 0.1, "max_tokens": 99, "price_in": 2.0, "price_out": 8.0}
        keeper = keeper_of(tmp_path, model.base_url, **options)
        keeper.keep(sealed(1, prompts=["Is the gate open?", "", "How many?", "How many?"]))
        first, second = answered(tmp_path, 2)
        keeper.close()
    assert first.pop("seconds") >= 0
    assert first.pop("finished")
    assert first == {
        "client": "cam",
        "sequence": 1,
        "prompt": "Is the gate open?",
        "from": "picture",
        "model": "seer",
        "answer": "Yes.",
        "cost": pytest.approx((1000 * 2.0 + 10 * 8.0) / 1e6),
    }
    assert (second["prompt"], second["answer"]) == ("How many?", "Two.")
    body = model.asked[0].json()
    assert model.asked[0].path == "/v1/chat/completions"
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("seer", 0.1, 99)
    picture, question = body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert question["text"] == "Is the gate open?"


def test_a_text_is_handed_over_in_the_picture_s_place(tmp_path: Path) -> None:
    with stand_in_endpoint(says("On the wall.")) as model:
        keeper = keeper_of(tmp_path, model.base_url)
        keeper.keep(sealed_text(1, "A bicycle."))
        (line,) = answered(tmp_path, 1)
        keeper.close()
    assert (line["from"], line["answer"]) == ("text", "On the wall.")
    described, question = model.asked[0].json()["messages"][0]["content"]
    assert '"A bicycle."' in described["text"]
    assert "knows colours, not things" in described["text"]
    assert question["text"] == "Where is the bicycle?"


@pytest.mark.parametrize(("kind", "source"), [("thumbnail", "text+thumbnail"), ("sketch", "text")])
def test_a_thumbnail_goes_with_its_text(tmp_path: Path, kind: SideName, source: str) -> None:
    coding = TextCoding(side=kind)
    bitstream, codec = encode_payload("A bicycle.", busy_picture(64, 48), coding)
    with stand_in_endpoint(says("On the wall.")) as model:
        keeper = keeper_of(tmp_path, model.base_url)
        keeper.keep(sealed_text(1, bitstream, codec=codec))
        (line,) = answered(tmp_path, 1)
        keeper.close()
    assert line["from"] == source
    parts = model.asked[0].json()["messages"][0]["content"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    shown = [base64.b64decode(url.partition(",")[2]) for url in urls]
    kept = tmp_path / "cam" / "1.thumbnail.png"
    assert shown == ([kept.read_bytes()] if kind == "thumbnail" else [])


def test_a_frame_that_asks_nothing_is_asked_nothing(tmp_path: Path) -> None:
    with stand_in_endpoint(says("Yes.")) as model:
        keeper = keeper_of(tmp_path, model.base_url)
        keeper.keep(sealed(1, prompts=["", " \n"]))
        keeper.keep(sealed(2, prompts=["Is it?"]))
        answered(tmp_path, 1)
        keeper.close()
    assert [line.get("follow_up") for line in lines_of(tmp_path)] == [None, ["ask"]]
    assert len(model.asked) == 1


@pytest.mark.parametrize(("price", "times"), [(0.0, 2), (1.0, 1)])
def test_what_may_have_been_charged_for_is_not_asked_twice(
    tmp_path: Path, price: float, times: int
) -> None:
    with stand_in_endpoint(hangs_up, says("Yes.")) as model:
        keeper = keeper_of(tmp_path, model.base_url, attempts=2, price_in=price)
        keeper.keep(sealed(1, prompts=["Is it?"]))
        (line,) = answered(tmp_path, 1)
        keeper.close()
    assert len(model.asked) == times
    assert ("error" in line) == (times == 1)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (hangs_up, "endpoint_down"),
        (slow, "endpoint_slow"),
        (refuses("401 Unauthorized", f"wrong key {KEY}"), "endpoint_refused"),
        (html, "malformed_answer"),
        (good({"choices": []}), "malformed_answer"),
        (good({"choices": "none"}), "malformed_answer"),
        (good({"choices": [{"message": {"content": None}}]}), "malformed_answer"),
        (good({"choices": [{"message": {"content": [{"text": KEY}]}}]}), "malformed_answer"),
    ],
)
def test_whatever_the_endpoint_does_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Part, code: str
) -> None:
    monkeypatch.setenv("SEER_KEY", KEY)
    with stand_in_endpoint(part, says("Yes.")) as model:
        keeper = keeper_of(tmp_path, model.base_url, timeout_s=0.3, api_key_env="SEER_KEY")
        keeper.keep(sealed(1, prompts=["Is it?"]))
        keeper.keep(sealed(2, prompts=["And it?"]))
        failed, good_one = answered(tmp_path, 2)
        keeper.close()
    assert model.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert failed["error"]["code"] == code
    assert failed["error"]["remedy"]
    assert "answer" not in failed
    assert good_one["answer"] == "Yes."
    assert KEY not in (tmp_path / "answers.jsonl").read_text("utf-8")


def test_an_answer_is_bounded_and_is_text(tmp_path: Path) -> None:
    with stand_in_endpoint(says("\ud800" + "a" * LONGEST_ANSWER)) as model:
        keeper = keeper_of(tmp_path, model.base_url)
        keeper.keep(sealed(1, prompts=["Is it?"]))
        (line,) = answered(tmp_path, 1)
        keeper.close()
    assert line["answer"] == "?" + "a" * (LONGEST_ANSWER - 1)
    assert line["cut"] is True


def test_a_file_that_somebody_took_away_is_a_line(tmp_path: Path) -> None:
    with stand_in_endpoint(slow, says("Yes.")) as model:
        keeper = keeper_of(tmp_path, model.base_url, timeout_s=0.3)
        keeper.keep(sealed(1, prompts=["Is it?"]))
        keeper.keep(sealed(2, prompts=["Is it?"]))
        (tmp_path / "cam" / "2.png").unlink()
        _, line = answered(tmp_path, 2)
        keeper.close()
    assert line["error"]["code"] == "storage"
    assert "2.png" in line["error"]["value"]
