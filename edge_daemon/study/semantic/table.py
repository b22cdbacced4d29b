"""The figures of a study as rows and as means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One way to spend bytes on one picture.

    Attributes:
        group: Of the case.
        picture: Name of the case.
        method: How the bytes were spent.
        width, height: Of the source, in pixels.
        bytes: Of the bitstream.
        utf8_bytes: Of its text before packing; `None` without a text.
        clipsim: Of what the cloud can show with the source, -1..1; `None` if it can show nothing.
        text_cosine: Of text and source, -1..1; `None` without a text.
        seconds: That it took to find.
        cost: In the unit of the prices in the settings.
        text: What was sent.
        troubles: Kinds of trouble that were survived, separated by spaces.
    """

    group: str
    picture: str
    method: str
    width: int
    height: int
    bytes: int
    utf8_bytes: int | None = None
    clipsim: float | None = None
    text_cosine: float | None = None
    seconds: float = 0.0
    cost: float = 0.0
    text: str = ""
    troubles: str = ""

    @property
    def bpp(self) -> float:
        """Bits per source pixel."""
        return 8 * self.bytes / (self.width * self.height)


@dataclass(frozen=True)
class Step:
    """The state of one search after one round.

    Attributes:
        group, picture: Of the case.
        method: Whose search it was.
        iteration: From 1.
        measure: What `best` is: "CLIPSim", or "text cosine" where nothing was drawn.
        best: The best score so far.
    """

    group: str
    picture: str
    method: str
    iteration: int
    measure: str
    best: float


@dataclass(frozen=True)
class Length:
    """What a search of a given length gained.

    Attributes:
        group, picture: Of the case.
        method: Whose search it was.
        max_bytes: Most bytes of UTF-8 that the text could have (R).
        utf8_bytes: Those that it has.
        bytes: After packing.
        measure: As in `Step`.
        first: Score after the first round.
        final: Score after the last.
    """

    group: str
    picture: str
    method: str
    max_bytes: int
    utf8_bytes: int
    bytes: int
    measure: str
    first: float
    final: float

    @property
    def gain(self) -> float:
        """What refinement added to the first round's score."""
        return self.final - self.first


@dataclass(frozen=True)
class Mean:
    """The mean of a method over a group's pictures.

    Attributes:
        group, method: As in `Point`.
        pictures: How many.
        bytes, bpp: Means.
        clipsim, text_cosine: Means over the pictures that have them; `None` if none has.
    """

    group: str
    method: str
    pictures: int
    bytes: float
    bpp: float
    clipsim: float | None
    text_cosine: float | None


def means(points: Sequence[Point]) -> list[Mean]:
    """One per group and method, in the order of their first points."""
    groups = list(dict.fromkeys((point.group, point.method) for point in points))
    found: list[Mean] = []
    for group, method in groups:
        own = [point for point in points if (point.group, point.method) == (group, method)]
        found.append(
            Mean(
                group,
                method,
                len(own),
                sum(point.bytes for point in own) / len(own),
                sum(point.bpp for point in own) / len(own),
                _mean(point.clipsim for point in own),
                _mean(point.text_cosine for point in own),
            )
        )
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
