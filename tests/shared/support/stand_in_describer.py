"""What stands in for a describer where the text's meaning does not matter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.semantic.refine import Refined
from edge_daemon.semantic.side import Side
from edge_daemon.semantic.sight import Parts, Sight
from edge_daemon.semantic.trace import Trace
from edge_daemon.service.texts import Describes
from edge_daemon.settings import SemanticSettings
from models import Bundle

PATIENCE_S = 30.0
WORDS = (
    "a wide yard with a red gate, two bicycles leaning on its left post, low evening sun; behind "
    "them a white van whose rear doors stand open, crates of apples on a trolley, somebody in "
    "overalls reading a list; far right a dog asleep under a bench, wet paving, a blue hose coiled "
    "by the tap, ivy over half of the brick wall, one window lit upstairs, swallows on a wire, "
    "clouds with gold edges, no people at the street, a parked scooter without plates, long shadows"
)
NOTICE = "a stand-in that sees nothing"


@dataclass(frozen=True, eq=False)
class Asked:
    """One call of `describe`."""

    pixels: NDArray[np.uint8]
    questions: tuple[str, ...]
    caption: str
    max_bytes: int | None
    time_s: float | None
    side: Side | None
    at_once: bool


class StandInDescriber:
    """Says the same of every picture, in as many bytes as it is allowed.

    Args:
        local: Whether it claims to ask nobody.
        words: What it says, as far as the bytes go.
        text_score: That it claims.

    Attributes:
        asked: Every call of `describe`.
        seen: What every call of `look` was given.
        go: Cleared, searches that ask somebody wait for it.
    """

    def __init__(self, *, local: bool = True, words: str = WORDS, text_score: float = 0.25) -> None:
        self.local = local
        self.asked: list[Asked] = []
        self.seen: list[Parts | None] = []
        self.go = threading.Event()
        self.go.set()
        self._words = words
        self._text_score = text_score

    def look(self, pixels: NDArray[np.uint8], parts: Parts | None = None) -> Sight:
        self.seen.append(parts)
        nothing = np.empty((0, 4), np.float32)
        return Sight(np.ones(1, np.float32), nothing, nothing.astype(np.float64))

    def describe(
        self,
        pixels: NDArray[np.uint8],
        questions: Sequence[Distilled] = (),
        *,
        caption: str = "",
        max_bytes: int | None = None,
        time_s: float | None = None,
        side: Side | None = None,
        sight: Sight | None = None,
        at_once: bool = False,
    ) -> Refined:
        raw = tuple(one.raw for one in questions)
        self.asked.append(Asked(pixels, raw, caption, max_bytes, time_s, side, at_once))
        if not (self.local or at_once):
            assert self.go.wait(PATIENCE_S)
        most = 400 if max_bytes is None else max_bytes
        text = " ".join([*raw, caption, self._words]).strip()
        refiner = "phrases" if self.local or at_once else "openai"
        trace = Trace("tiny-colours", NOTICE, refiner, None, 0, ())
        return Refined(text[:most].rstrip(), self._text_score, None, None, trace)


def making(describer: Describes) -> Callable[[SemanticSettings, Bundle], Describes]:
    """What a daemon makes its describer with: this one, whatever the settings."""

    def make(_: SemanticSettings, __: Bundle) -> Describes:
        return describer

    return make
