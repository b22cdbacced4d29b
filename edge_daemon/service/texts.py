"""From a picture to a text in its place: searched, packed, and shorter until it fits."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import DeadlineError, Verbatim
from edge_daemon.prefilter import Report
from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.semantic.coding import TextCoding, encode_payload, side_of
from edge_daemon.semantic.refine import Refined
from edge_daemon.semantic.side import Side
from edge_daemon.semantic.sight import Parts, Sight
from edge_daemon.service.job import Job
from edge_daemon.service.shaped import Pack, Shaped
from edge_daemon.service.studio import Studio
from edge_daemon.settings import SemanticSettings
from edge_daemon.wire import SemanticFacts

_log = logging.getLogger(__name__)

NO_PICTURE: Final = "no picture fitted the budget"
"""What the cloud is told of a text that nobody asked for."""

_LEAST_BYTES: Final = 16
"""Of UTF-8, that no text is made shorter than; the least that the settings take."""
_MOST_TRIES: Final = 4
"""Searches for one frame; the last is for the shortest text."""
_LIKE, _UNLIKE = 0.95, 0.8
"""Share of the room that a text aims at: after another of its kind, which packs about as well if it
is a little longer, and after one of another kind."""
_MARGIN_S: Final = 0.25
"""Seconds of a frame's deadline that a search leaves for what comes after it."""
_LONGEST_NAME, _LONGEST_NOTICE = 200, 1000


class Describes(Protocol):
    """What finds texts: `semantic.Describer`, or a test's stand-in. Thread-safe."""

    @property
    def local(self) -> bool:
        """Whether a search takes milliseconds, asking nobody."""
        ...

    def look(self, pixels: NDArray[np.uint8], parts: Parts | None = None) -> Sight:
        """See `Describer.look`."""
        ...

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
        """See `Describer.describe`."""
        ...


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is described.

    Attributes:
        pixels: uint8 (H, W, 3), veiled.
        sight: The same as the critic sees it.
        side: What of its layout travels beside the text.
        side_bytes: The same, as it travels.
    """

    pixels: NDArray[np.uint8]
    sight: Sight
    side: Side | None = None
    side_bytes: bytes = b""


class TextShaper:
    """Makes texts of frames. Thread-safe.

    Args:
        settings: How texts travel.
        describer: What finds them.
        keeps_pixels: Whether the picture of a frame that was to be text is kept.
    """

    def __init__(
        self, settings: SemanticSettings, describer: Describes, *, keeps_pixels: bool
    ) -> None:
        self._settings = settings
        self._describer = describer
        self._keeps_pixels = keeps_pixels

    @property
    def local(self) -> bool:
        """Whether a text takes milliseconds."""
        return self._describer.local

    def shape(self, studio: Studio, pack: Pack, room: int | None) -> tuple[Shaped, bytes]:
        """A frame that was to be text.

        Args:
            studio: The frame.
            pack: What the room is about.
            room: Bytes that there are; `None` for no bound.

        Returns:
            The text, and what `pack` made of it: within the room, or as short as it gets. It says
            that the picture is kept, if that is wanted.

        Raises:
            DeadlineError: Somebody is to be asked, and the frame has no time for that.
        """
        return self._fitted(studio, pack, room, last_resort=False)

    def instead(self, studio: Studio, pack: Pack, room: int | None) -> tuple[Shaped, bytes]:
        """A frame of which no picture fits; as `shape`, but nobody is asked."""
        return self._fitted(studio, pack, room, last_resort=True)

    def _fitted(
        self, studio: Studio, pack: Pack, room: int | None, *, last_resort: bool
    ) -> tuple[Shaped, bytes]:
        begun = time.perf_counter()
        scene = self._scene(studio)
        describe_ms = 1000 * (time.perf_counter() - begun)
        asks = not (last_resort or self.local)
        # Where there is a bound, a text for which nobody is paid tells how long one may be.
        probing = asks and room is not None
        most, shortest, tries = self._settings.max_bytes, False, 0
        while True:
            begun, tries = time.perf_counter(), tries + 1
            at_once = probing or not asks
            refined = self._described(studio.job, scene, most, at_once=at_once)
            describe_ms += 1000 * (time.perf_counter() - begun)
            facts = self._facts(refined, last_resort=last_resort)
            coded = self._coded(refined.text, scene, facts, studio.at_strength(1.0)[1])
            shaped = replace(coded, describe_ms=describe_ms, encodes=tries)
            packed = pack(shaped)
            if room is None or shortest or (len(packed) <= room and not probing):
                _tell(studio.job, refined, tries)
                return shaped, packed
            packed_bytes = len(shaped.bitstream) - len(scene.side_bytes)
            left = room - len(packed) + packed_bytes
            share = left / max(1, packed_bytes) * (_UNLIKE if probing else _LIKE)
            most = min(most, int(share * len(refined.text.encode("utf-8"))))
            shortest = tries == _MOST_TRIES - 1 or most <= _LEAST_BYTES
            most = _LEAST_BYTES if shortest else most
            # Nobody is asked twice.
            asks, probing = probing and not shortest, False

    def _scene(self, studio: Studio) -> _Scene:
        pixels, kind = studio.veiled(), self._settings.side
        sight = self._describer.look(pixels, _seen(studio.job))
        if kind == "none":
            return _Scene(pixels, sight)
        side_bytes, side = side_of(pixels, kind)
        return _Scene(pixels, sight, side, side_bytes)

    def _coded(
        self, text: str, scene: _Scene, facts: SemanticFacts, report: Report | None
    ) -> Shaped:
        begun = time.perf_counter()
        coding = TextCoding(self._settings.packing, self._settings.side)
        bitstream, config = encode_payload(
            text, scene.pixels, coding, side_bytes=scene.side_bytes if scene.side else None
        )
        height, width = scene.pixels.shape[:2]
        codec_ms = 1000 * (time.perf_counter() - begun)
        return Shaped(bitstream, config, width, height, facts, report, codec_ms)

    def _described(self, job: Job, scene: _Scene, most: int, *, at_once: bool) -> Refined:
        time_s = None
        if not (at_once or self.local):
            left_s = job.deadline - time.monotonic()
            if left_s <= _MARGIN_S:
                raise DeadlineError(
                    "the frame's deadline leaves no time to ask for a text",
                    value=Verbatim(f"{max(0.0, left_s):.3g} s left"),
                    remedy="allow more (deadline_s), or ask for texts less often",
                )
            time_s = left_s - _MARGIN_S
        return self._describer.describe(
            scene.pixels,
            () if job.plan is None else job.plan.prompts,
            caption=job.header.caption or "",
            max_bytes=most,
            time_s=time_s,
            side=scene.side,
            sight=scene.sight,
            at_once=at_once,
        )

    def _facts(self, refined: Refined, *, last_resort: bool) -> SemanticFacts:
        trace = refined.trace
        notices = [NO_PICTURE] * last_resort + [trace.notice] * bool(trace.notice)
        image_score = refined.image_score
        return SemanticFacts(
            critic=trace.critic[:_LONGEST_NAME],
            notice="; ".join(notices)[:_LONGEST_NOTICE],
            refiner=trace.refiner,
            generator=trace.generator,
            text_score=round(refined.text_score, 4),
            image_score=None if image_score is None else round(image_score, 4),
            pixels_kept=self._keeps_pixels and not last_resort,
        )


def _seen(job: Job) -> Parts | None:
    """The tiles that relevance was found by: they show the same veiled picture."""
    plan, scores = job.plan, job.scores
    if plan is None or plan.grid is None or scores is None or scores.embeddings is None:
        return None
    # Other grids are made for other purposes: a published comparison, windows of one pass, pixels.
    usual = plan.spending.mode == "default" and plan.spending.scorer == "tiles"
    fit = usual and Parts.shown_by(plan.grid)
    return Parts.of_tiles(scores.embeddings, plan.grid) if fit else None


def without_pixels(shaped: Shaped) -> Shaped:
    """The text without the promise of a picture."""
    assert shaped.semantic is not None
    facts = shaped.semantic.model_copy(update={"pixels_kept": False})
    return replace(shaped, semantic=facts)


def _tell(job: Job, refined: Refined, searches: int) -> None:
    trace = refined.trace
    _log.info(
        "event=described client=%s sequence=%d refiner=%s generator=%s searches=%d rounds=%d "
        "utf8_bytes=%d text_score=%.4f image_score=%s cost=%.4f troubles=%s",
        *job.key,
        trace.refiner,
        trace.generator or "none",
        searches,
        len(trace.rounds),
        len(refined.text.encode("utf-8")),
        refined.text_score,
        "none" if refined.image_score is None else f"{refined.image_score:.4f}",
        trace.cost,
        ",".join(dict.fromkeys(note.trouble for note in trace.notes)) or "none",
    )
