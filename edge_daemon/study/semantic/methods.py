"""Ways to spend a few bytes on a picture, each measured as one point of rate against fidelity."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.semantic.coding import TextCoding, encode_payload, side_of
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.describer import Describer
from edge_daemon.semantic.generators.abc import Generator, Order
from edge_daemon.semantic.refine import Refined
from edge_daemon.semantic.side import Side, SideKind
from edge_daemon.semantic.sight import Sight
from edge_daemon.settings import SemanticSettings
from edge_daemon.study.semantic.cases import Case
from edge_daemon.study.semantic.table import Length, Point, Step

Pixels = NDArray[np.uint8]

LOW_RESOLUTION: Final = "32 px, raw RGB"
THUMBNAIL: Final = "thumbnail"
JPEG: Final = "JPEG q10"
CAPTION: Final = "caption as given"

_LOW_SIDE: Final = 32
_JPEG_QUALITY: Final = 10


@dataclass(frozen=True, eq=False)
class Shown:
    """A point, and what the cloud can show of it.

    Attributes:
        point: The figures.
        picture: uint8 (h, w, 3); `None` if there is nothing to show.
        steps: Of the search behind it, if there was one.
        lengths: Likewise.
    """

    point: Point
    picture: Pixels | None
    steps: tuple[Step, ...] = ()
    lengths: tuple[Length, ...] = ()


class Measures:
    """Measures methods on cases.

    Args:
        critic: Gives CLIPSim.
        settings: Of the searches, and of how texts are packed.
        distil: Reads a question.
    """

    def __init__(
        self, critic: Critic, settings: SemanticSettings, distil: Callable[[str], Distilled]
    ) -> None:
        self._critic = critic
        self._settings = settings
        self._distil = distil

    def low_resolution(self, case: Case) -> Shown:
        """Short side 32 px, three bytes a pixel: the published simple baseline."""
        height, width = case.pixels.shape[:2]
        scale = min(1.0, _LOW_SIDE / min(height, width))
        small = _resized(case.pixels, max(1, round(width * scale)), max(1, round(height * scale)))
        return self._shown(case, LOW_RESOLUTION, small.size, small)

    def thumbnail(self, case: Case) -> Shown:
        """The same in as few bytes as a codec makes of it."""
        coded, side = side_of(case.pixels, "thumbnail")
        return self._shown(case, THUMBNAIL, len(coded), side.pixels)

    def jpeg(self, case: Case) -> Shown:
        """JPEG at quality 10: the published strong baseline."""
        height, width = case.pixels.shape[:2]
        codec = get_codec({"id": "jpeg", "quality": _JPEG_QUALITY})
        coded = codec.encode(case.pixels)
        return self._shown(case, JPEG, len(coded), codec.decode(coded, width=width, height=height))

    def caption(self, case: Case, generator: Generator | None) -> Shown:
        """The client's caption, as it is; drawn as often as one round of a search draws."""
        begun = time.perf_counter()
        settings = self._settings
        height, width = case.pixels.shape[:2]
        drawn = None
        if generator is not None:
            order = Order(case.caption, settings.images, width, height, seed=settings.seed)
            looks = [(self._clipsim(case, one), one) for one in generator.draw(order).pictures]
            drawn = max(looks, key=lambda look: look[0])[1] if looks else None
        seconds = time.perf_counter() - begun
        return self._text(case, CAPTION, case.caption, drawn, seconds=seconds)

    def search(
        self,
        case: Case,
        sight: Sight,
        name: str,
        describer: Describer,
        lengths: Sequence[int],
    ) -> Shown:
        """A refined text, and what shorter and longer ones would have gained.

        Args:
            case: The picture.
            sight: What the describer saw of it.
            name: What to call the refiner.
            describer: Searches; its settings allow the longest of `lengths`.
            lengths: Most bytes of UTF-8; that of the settings is measured in any case.
        """
        method = f"text, {name}"
        found: dict[int, Refined] = {}
        seconds = 0.0
        for most in sorted({*lengths, self._settings.max_bytes}):
            begun = time.perf_counter()
            found[most] = self._describe(case, sight, describer, most)
            if most == self._settings.max_bytes:
                seconds = time.perf_counter() - begun
        usual = found[self._settings.max_bytes]
        shown = self._text(case, method, usual.text, usual.drawing, usual, seconds=seconds)
        gains = [self._length(case, method, most, one) for most, one in found.items()]
        return replace(
            shown,
            steps=_steps(case, method, usual),
            lengths=tuple(gain for gain in gains if gain is not None),
        )

    def with_side(
        self, case: Case, sight: Sight, kind: SideKind, name: str, describer: Describer
    ) -> Shown:
        """A refined text with side information, which is all there is to show if nobody draws."""
        begun = time.perf_counter()
        coded, side = side_of(case.pixels, kind)
        found = self._describe(case, sight, describer, self._settings.max_bytes, side)
        picture = side.pixels if found.drawing is None else found.drawing
        seconds = time.perf_counter() - begun
        method = f"text, {name} + {kind}"
        shown = self._text(case, method, found.text, picture, found, seconds=seconds)
        coding = TextCoding(self._settings.packing, kind)
        bitstream, _ = encode_payload(found.text, None, coding, side_bytes=coded)
        return replace(shown, point=replace(shown.point, bytes=len(bitstream)))

    def _describe(
        self,
        case: Case,
        sight: Sight,
        describer: Describer,
        most: int,
        side: Side | None = None,
    ) -> Refined:
        questions = [self._distil(case.question)] if case.question else []
        return describer.describe(
            case.pixels, questions, caption=case.caption, max_bytes=most, side=side, sight=sight
        )

    def _text(
        self,
        case: Case,
        method: str,
        text: str,
        picture: Pixels | None,
        found: Refined | None = None,
        seconds: float = 0.0,
    ) -> Shown:
        bitstream, _ = encode_payload(text, None, TextCoding(self._settings.packing))
        shown = self._shown(case, method, len(bitstream), picture)
        point = replace(
            shown.point,
            utf8_bytes=len(text.encode("utf-8")),
            text_cosine=self._critic.text_image(text, self._critic.look(case.pixels)).score,
            seconds=seconds,
            cost=0.0 if found is None else found.trace.cost,
            text=text,
            troubles="" if found is None else _troubles(found),
        )
        return replace(shown, point=point)

    def _shown(self, case: Case, method: str, count: int, picture: Pixels | None) -> Shown:
        height, width = case.pixels.shape[:2]
        clipsim = None if picture is None else self._clipsim(case, picture)
        point = Point(case.group, case.name, method, width, height, count, clipsim=clipsim)
        return Shown(point, picture)

    def _clipsim(self, case: Case, picture: Pixels) -> float:
        height, width = case.pixels.shape[:2]
        # What is shown is as large as the source, as the cloud writes it.
        return self._critic.image_image(
            self._critic.look(_resized(picture, width, height)), self._critic.look(case.pixels)
        )

    def _length(self, case: Case, method: str, most: int, found: Refined) -> Length | None:
        steps = _steps(case, method, found)
        if not steps:
            return None
        bitstream, _ = encode_payload(found.text, None, TextCoding(self._settings.packing))
        return Length(
            case.group,
            case.name,
            method,
            most,
            len(found.text.encode("utf-8")),
            len(bitstream),
            steps[0].measure,
            steps[0].best,
            steps[-1].best,
        )


def _steps(case: Case, method: str, found: Refined) -> tuple[Step, ...]:
    measure = "text cosine" if found.image_score is None else "CLIPSim"
    return tuple(
        Step(case.group, case.name, method, one.number, measure, one.best)
        for one in found.trace.rounds
        if one.best is not None
    )


def _troubles(found: Refined) -> str:
    return " ".join(dict.fromkeys(note.trouble for note in found.trace.notes))


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)
