"""Drafts in words, and back."""

from __future__ import annotations

import pytest

from edge_daemon.semantic.refiners.phrases.draft import Draft, Item
from edge_daemon.semantic.refiners.phrases.wording import Wording
from edge_daemon.semantic.vocabulary import load_vocabulary

WORDING = Wording(load_vocabulary())
FULL = Draft(
    asked=(Item("bicycle saddle", place="in the middle", attribute="red", doubtful=True),),
    scene="city street",
    things=(
        Item("car", 2, "at the top left"),
        Item("knife", 3),
        Item("cat", relation="next to", other="dog", place="on the right"),
        Item("bus", attribute="dark blue"),
    ),
    light="rain",
    texts=(Item("sign with text", place="at the bottom"),),
)


def test_everything_is_said_in_its_order() -> None:
    assert WORDING.text(FULL) == (
        "perhaps red bicycle saddle in the middle. city street, two cars at the top left, "
        "three knives, cat next to dog on the right, dark blue bus, rain, "
        "sign with text at the bottom"
    )


@pytest.mark.parametrize(
    "draft",
    [
        FULL,
        Draft(),
        Draft(scene="kitchen"),
        Draft(light="night"),
        Draft(things=(Item("traffic light", 10, "on the left"),)),
        # Names that hold words with a meaning of their own.
        Draft(things=(Item("green apple"), Item("potted plant"), Item("top hat"))),
        Draft(asked=(Item("bicycle saddle"), Item("dog", 2)), things=(Item("cat"),)),
    ],
)
def test_what_was_written_is_read(draft: Draft) -> None:
    asked = [item.words for item in draft.asked]
    assert WORDING.draft(WORDING.text(draft), asked, "") == draft


@pytest.mark.parametrize("caption", ["Two dogs. One runs, one sleeps", "dog"])
def test_the_caption_is_read_as_one(caption: str) -> None:
    draft = Draft(asked=(Item("cat"),), caption=caption, things=(Item("kite"),))
    assert WORDING.draft(WORDING.text(draft), ["cat"], caption) == draft


def test_other_words_for_a_thing_are_read_as_the_thing() -> None:
    read = WORDING.draft("three sofas on the left, aeroplane, a sort of thing", [], "")
    assert read == Draft(things=(Item("couch", 3, "on the left"), Item("airplane")))


def test_more_than_ten_are_ten() -> None:
    assert WORDING.clause(Item("bird", 14)) == "ten birds"
