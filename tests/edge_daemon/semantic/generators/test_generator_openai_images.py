"""A text-to-image model that is a stand-in draws texts."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_daemon.semantic.generators import make_generator
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.generators.openai_images import OpenAIImagesGenerator
from edge_daemon.semantic.side import Side
from edge_daemon.settings import ImagesSettings
from support.stand_in_endpoint import (
    Part,
    StandInEndpoint,
    answer,
    draws,
    good,
    gzip_bomb,
    hangs_up,
    html,
    plain_png,
    raw,
    refuses,
    slow,
    stand_in_endpoint,
)

ORDER = Order("a red car", 2, 60, 40, seed=7, timeout_s=20.0)


def generator_of(served: StandInEndpoint, **settings: Any) -> OpenAIImagesGenerator:
    return OpenAIImagesGenerator(
        ImagesSettings.model_validate({"base_url": served.base_url, "attempts": 1, **settings})
    )


def draw(served: StandInEndpoint, order: Order = ORDER, **settings: Any) -> Drawn:
    return generator_of(served, **settings).draw(order)


def troubles(drawn: Drawn) -> list[str]:
    return [note.trouble for note in drawn.notes]


def pixel_bomb() -> bytes:
    """A PNG of some hundred bytes that announces 60,000 x 60,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_are_asked_for_one_at_a_time() -> None:
    red, blue = plain_png(), plain_png((0, 0, 255), side=8)
    with stand_in_endpoint(draws(red), draws(blue)) as served:
        drawn = draw(served, model="m", size="256x256")
    assert [picture.shape for picture in drawn.pictures] == [(16, 16, 3), (8, 8, 3)]
    assert (drawn.pictures[1] == (0, 0, 255)).all()
    assert (drawn.cost, drawn.notes) == (0.0, ())
    assert [asked.path for asked in served.asked] == ["/v1/images/generations"] * 2
    wanted = {"model": "m", "prompt": "a red car", "n": 1, "size": "256x256"}
    assert [asked.json() for asked in served.asked] == [wanted, wanted]


def test_quality_style_and_seeds_are_sent_where_the_settings_say_so() -> None:
    with stand_in_endpoint(draws(plain_png())) as served:
        draw(served, quality="hd", style="natural", send_seed=True)
    bodies = [asked.json() for asked in served.asked]
    assert [body["seed"] for body in bodies] == [7, 8]
    assert (bodies[0]["quality"], bodies[0]["style"]) == ("hd", "natural")


def test_pictures_behind_urls_are_fetched() -> None:
    made = good({"data": [{"url": "/made/1.png", "revised_prompt": "x"}]})
    encoded = base64.b64encode(plain_png()).decode()
    inside = good({"data": [{"url": f"data:image/png;base64,{encoded}", "b64_json": None}]})
    with stand_in_endpoint(made, raw(answer(plain_png(), kind="image/png")), inside) as served:
        drawn = draw(served)
    assert len(drawn.pictures) == 2
    assert [asked.path for asked in served.asked][1] == "/made/1.png"
    assert drawn.notes == ()


def test_a_url_on_a_private_address_is_not_fetched() -> None:
    with (
        stand_in_endpoint(raw(answer(b"secret"))) as other,
        stand_in_endpoint(good({"data": [{"url": other.base_url}]})) as served,
    ):
        drawn = draw(served)
    assert other.asked == []
    assert drawn.pictures == ()
    assert troubles(drawn) == ["malformed-answer"]
    assert "not public" in drawn.notes[0].detail


@pytest.mark.parametrize(
    "part",
    [
        draws(pixel_bomb()),
        draws(plain_png()[:-30]),
        draws(b"GIF89a"),
        draws(b"<svg onload=alert(1)>"),
        draws(b""),
        good({"data": [{"b64_json": "%%%"}]}),
        good({"data": [{"b64_json": "abc"}]}),
        good({"data": []}),
        good({"data": [None]}),
        good({"data": "x"}),
        good({}),
        good({"data": [{"url": 3}]}),
        good({"data": [{"url": "file:///etc/passwd"}]}),
    ],
)
def test_a_picture_that_is_none_costs_a_note_and_the_next_is_drawn(part: Part) -> None:
    with stand_in_endpoint(part, draws(plain_png())) as served:
        drawn = draw(served, price=0.5)
    assert len(drawn.pictures) == 1
    assert troubles(drawn) == ["malformed-answer"]
    assert len(drawn.notes[0].detail) <= 200
    assert drawn.cost == 1.0


@pytest.mark.parametrize(
    ("part", "trouble", "cost"),
    [
        (slow, "endpoint-slow", 0.5),
        (hangs_up, "endpoint-down", 0.5),
        (html, "malformed-answer", 0.5),
        (gzip_bomb, "malformed-answer", 0.5),
        (refuses("400 Bad Request", "Your request was rejected"), "endpoint-refused", 0.0),
        (refuses("429 Too Many Requests", Retry_After="3600"), "endpoint-refused", 0.0),
    ],
)
def test_whatever_a_peer_does_is_a_note_and_what_was_drawn_stays(
    part: Part, trouble: str, cost: float
) -> None:
    order = replace(ORDER, count=3, timeout_s=0.5 if part is slow else 20.0)
    with stand_in_endpoint(draws(plain_png()), part) as served:
        drawn = draw(served, order, price=0.5)
    assert len(drawn.pictures) == 1
    assert troubles(drawn) == [trouble]
    assert drawn.cost == 0.5 + cost
    assert len(served.asked) == 2


@pytest.mark.parametrize(("budget", "count"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.4, 2), (1.5, 3)])
def test_as_many_are_drawn_as_the_budget_allows(budget: float, count: int) -> None:
    with stand_in_endpoint(draws(plain_png())) as served:
        drawn = draw(served, replace(ORDER, count=3, budget=budget), price=0.5)
    assert len(drawn.pictures) == len(served.asked) == count
    assert drawn.cost == 0.5 * count
    assert troubles(drawn) == ([] if count == 3 else ["out-of-money"])


def test_without_time_nothing_is_asked() -> None:
    with stand_in_endpoint(draws(plain_png())) as served:
        drawn = draw(served, replace(ORDER, timeout_s=0.0))
    assert served.asked == []
    assert troubles(drawn) == ["out-of-time"]


@pytest.mark.parametrize("kind", ["thumbnail", "sketch"])
def test_side_information_goes_to_edits(kind: Any) -> None:
    side = Side(kind, np.full((20, 32, 3), (0, 128, 0), np.uint8))
    with stand_in_endpoint(draws(plain_png())) as served:
        generator = generator_of(served, edits=True, quality="high", style="vivid", model="m")
        drawn = generator.draw(replace(ORDER, count=1, side=side))
    assert generator.takes_side
    assert len(drawn.pictures) == 1
    (asked,) = served.asked
    assert asked.path == "/v1/images/edits"
    assert b"It shows: a red car" in asked.body
    assert b'name="n"\r\n\r\n1' in asked.body
    assert b'name="style"' not in asked.body
    png = asked.body[asked.body.index(b"\x89PNG") :]
    assert struct.unpack(">II", png[16:24]) == (512, 320)


def test_without_edits_side_information_is_of_no_use() -> None:
    side = Side("sketch", np.zeros((20, 32, 3), np.uint8))
    with stand_in_endpoint(draws(plain_png())) as served:
        generator = generator_of(served)
        generator.draw(replace(ORDER, count=1, side=side))
    assert not generator.takes_side
    assert served.asked[0].path == "/v1/images/generations"


def test_the_settings_name_the_generator() -> None:
    assert make_generator("none", ImagesSettings(), "drawings") is None
    made = make_generator("openai-images", ImagesSettings(), "drawings")
    assert isinstance(made, OpenAIImagesGenerator)
    directory = make_generator("directory", ImagesSettings(), "drawings")
    assert directory is not None
    assert directory.name == "directory"
