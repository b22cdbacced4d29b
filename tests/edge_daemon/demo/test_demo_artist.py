"""The stand-in for a text-to-image model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.demo.artist import IconArtist, wanted
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.generators.abc import Order
from edge_daemon.semantic.places import PLACES, place_at
from edge_daemon.semantic.side import Side
from models import load_bundle

ARTIST = IconArtist()
ORDER = Order("dog", count=1, width=320, height=240, seed=5)


def _draw(order: Order) -> NDArray[np.uint8]:
    (picture,) = ARTIST.draw(order).pictures
    return picture


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("a dog", [("dog", None)]),
        ("Two dogs at the top left, a cat", [("dog", "at the top left")] * 2 + [("cat", None)]),
        ("three big dogs. key on the right", [("dog", None)] * 3 + [("key", "on the right")]),
        ("car and bike at the top", [("automobile", "at the top"), ("bicycle", "at the top")]),
        ("teddy bears", [("teddy bear", None)]),
        ("dogma, catalogue, keyboard, polar bear", []),
        ("", []),
    ],
)
def test_what_a_text_names(text: str, things: list[tuple[str, str | None]]) -> None:
    assert wanted(text) == things


def test_text_and_seed_decide_every_pixel() -> None:
    again = _draw(ORDER)
    np.testing.assert_array_equal(_draw(ORDER), again)
    assert (_draw(replace(ORDER, seed=6)) != again).any()
    assert (_draw(replace(ORDER, text="a dog")) != again).any()


def test_picture_k_of_an_order_has_the_seed_plus_k() -> None:
    three = ARTIST.draw(replace(ORDER, count=3)).pictures
    assert len(three) == 3
    np.testing.assert_array_equal(three[2], _draw(replace(ORDER, seed=7)))


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((1920, 1080), (320, 180)), ((1, 1), (320, 320)), ((4000, 3), (320, 32))],
)
def test_a_drawing_has_about_the_shape_of_the_source(
    size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    picture = _draw(replace(ORDER, text="dog on the left, cat", width=size[0], height=size[1]))
    assert picture.shape == (drawn[1], drawn[0], 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_drawn_at_its_place(place: str) -> None:
    """Against a flat background, what differs from it is the icons."""
    grey = Side("thumbnail", np.full((8, 8, 3), 128, np.uint8))
    picture = _draw(replace(ORDER, text=f"ten keys {place}", side=grey))
    rows, columns = np.nonzero((picture != 128).any(axis=-1))
    assert place_at(float(columns.mean()) / 320, float(rows.mean()) / 240) == place


def test_a_thumbnail_is_the_background() -> None:
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:, :16, 0], pixels[:, 16:, 2] = 200, 200
    picture = _draw(replace(ORDER, text="nothing", side=Side("thumbnail", pixels)))
    assert (picture[:, :140] == (200, 0, 0)).all()
    assert (picture[:, 180:] == (0, 0, 200)).all()


def test_a_sketch_lies_over_the_drawing() -> None:
    edges = np.full((240, 320, 3), 255, np.uint8)
    edges[100:110] = 0
    picture = _draw(replace(ORDER, side=Side("sketch", edges)))
    plain = _draw(ORDER)
    assert not picture[101:109].any()
    np.testing.assert_array_equal(picture[:99], plain[:99])
    np.testing.assert_array_equal(picture[111:], plain[111:])


def test_a_critic_sees_what_was_drawn() -> None:
    critic = Critic(load_bundle("nano-icons", threads=1))
    for text, other in (("a pizza", "a violin"), ("two violins", "a pizza")):
        look = critic.look(_draw(replace(ORDER, text=text)))
        assert critic.text_image(text, look).score > critic.text_image(other, look).score + 0.2
