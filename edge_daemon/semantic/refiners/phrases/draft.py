"""A text in its parts, before it is words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """Something in the picture.

    Attributes:
        words: What it is, in the singular.
        count: How many, at least 1.
        place: In the words of `places`; may be empty.
        attribute: What it is like; may be empty.
        relation: How it stands to another thing, as "next to"; empty if there is none.
        other: That other thing; empty if there is none.
        doubtful: Whether there is too little evidence of it.
    """

    words: str
    count: int = 1
    place: str = ""
    attribute: str = ""
    relation: str = ""
    other: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class Draft:
    """A text in its parts, in the order in which they are said.

    Attributes:
        asked: What the question is about.
        caption: What the client says; one line, without a full stop at its end.
        scene: Where the picture is taken.
        things: What is in it, what says most first.
        light: Light or weather.
        texts: Writing in it.
    """

    asked: tuple[Item, ...] = ()
    caption: str = ""
    scene: str = ""
    things: tuple[Item, ...] = ()
    light: str = ""
    texts: tuple[Item, ...] = ()
