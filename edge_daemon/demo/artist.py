"""A stand-in for a text-to-image model: it draws the icons that a text names.

It knows the icons that ship with the package and nothing else, but it does with them what a model
does with everything: what the text names is drawn, as often and roughly where the text says;
whatever the text leaves open is chance. So a better text gives a better picture, which is what
tests of the search need.
"""

from __future__ import annotations

import re
import zlib
from functools import cache
from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.demo.scenes import busy_background, icon_names, paste_icon
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.places import PLACES
from edge_daemon.semantic.side import Side
from edge_daemon.semantic.vocabulary import load_vocabulary

_LONGEST: Final = 320
"""Pixels along the longer side of a drawing."""
_SHORTEST: Final = 32
_NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PLACE: Final = re.compile("|".join(sorted(PLACES, key=len, reverse=True)))

Wanted = tuple[str, str | None]
"""Name of an icon, and the words for its place if the text has any."""


class IconArtist:
    """Draws icons by their names; text and seed decide every pixel.

    A thumbnail becomes the background, enlarged; a sketch's edges are laid over the drawing.
    """

    name: ClassVar[str] = "icon-artist"
    takes_side = True

    def draw(self, order: Order) -> Drawn:
        """As many pictures as are ordered, of the order's shape, 320 px along the longer side."""
        scale = _LONGEST / max(order.width, order.height)
        width, height = (
            max(_SHORTEST, round(side * scale)) for side in (order.width, order.height)
        )
        seeds = range(order.seed, order.seed + order.count)
        return Drawn(tuple(_picture(order, seed, width, height) for seed in seeds))


def wanted(text: str) -> list[Wanted]:
    """The icons that a text names, in its order, each as often as it says.

    "Two dogs at the top left, a cat" is two dogs there and one cat anywhere. A place holds for all
    that is named between two punctuation marks.
    """
    names, pattern = _words()
    found: list[Wanted] = []
    for clause in re.split(r"[.,:;!?\n]+", text.lower()):
        place = _PLACE.search(clause)
        for match in pattern.finditer(clause):
            number = match["number"]
            count = _NUMBERS.index(number) + 2 if number else 1
            found += [(names[match["name"]], place and place[0])] * count
    return found


@cache
def _words() -> tuple[dict[str, str], re.Pattern[str]]:
    """Icons by all words for them, and a pattern of such a word with or without a number."""
    vocabulary = load_vocabulary()
    icons = set(icon_names())
    names = {name: name for name in icons}
    for thing in vocabulary.objects:
        words = vocabulary.names(thing)
        shown = icons.intersection(words)
        if shown:
            names |= dict.fromkeys(words, min(shown))
    for word, icon in list(names.items()):
        names.setdefault(vocabulary.plural(word), icon)
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return names, re.compile(
        rf"\b(?:(?P<number>{'|'.join(_NUMBERS)}) (?:\w+ )?)?(?P<name>{longest_first})\b"
    )


def _picture(order: Order, seed: int, width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng((seed, zlib.crc32(order.text.encode("utf-8"))))
    canvas = busy_background(rng, width, height)
    if order.side is not None and order.side.kind == "thumbnail":
        canvas = _enlarged(order.side, width, height, cv2.INTER_CUBIC)
    things = wanted(order.text)
    # As large as they are if they share the picture.
    cell = (width * height / max(1, len(things))) ** 0.5
    for name, place in reversed(things):  # what is named first lies on top
        size = int(min(0.72 * cell * rng.uniform(0.8, 1.2), width, height))
        x, y = rng.uniform(0.0, 1.0, 2)
        if place is not None:
            x, y = np.asarray(PLACES[place]) + rng.uniform(-1.0, 1.0, 2) / 6.0
        left, top = (
            int(np.clip(centre * side - size / 2, 0, side - size))
            for centre, side in ((x, width), (y, height))
        )
        paste_icon(canvas, name, left, top, max(1, size))
    if order.side is not None and order.side.kind == "sketch":
        canvas *= _enlarged(order.side, width, height, cv2.INTER_LINEAR) / 255.0
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _enlarged(side: Side, width: int, height: int, how: int) -> NDArray[np.float32]:
    return cv2.resize(side.pixels, (width, height), interpolation=how).astype(np.float32)
