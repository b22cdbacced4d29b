"""From a scored frame to a bitstream that fits: smoothed, scaled, encoded, as often as it takes."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec, check_encoder, codec_class, get_codec
from edge_daemon.errors import DeadlineError, OverBudgetError, Verbatim
from edge_daemon.prefilter import Prefilter, Report
from edge_daemon.rate import Attempt, Budget, Policy, RateController
from edge_daemon.semantic import TEXT_CODEC, sketch
from edge_daemon.service.job import Job
from edge_daemon.settings import Allocation, RateSettings
from edge_daemon.wire import FrameHeader

_log = logging.getLogger(__name__)

_SHOWN_CAMERAS = 64
"""Most cameras whose budgets the status tells of."""
_LEAST_ENCODES = 3
"""What fitting needs at least: a guess, its correction, and the end of what may be given up."""


@dataclass(frozen=True)
class Shaped:
    """A frame as it will be sent.

    Attributes:
        bitstream: Of the codec, or UTF-8 text.
        codec: The configuration that it was encoded with; that of text without a picture.
        width: Of the coded picture in pixels; of the source without a picture.
        height: Likewise.
        semantic: Text instead of a picture.
        report: Of the prefilter; `None` if it did nothing.
        codec_ms: Milliseconds that the last encoding took.
        encodes: How often the picture was encoded.
        budget_bytes: That the envelope had to fit; `None` without a budget.
    """

    bitstream: bytes
    codec: dict[str, Any]
    width: int
    height: int
    semantic: bool
    report: Report | None
    codec_ms: float
    encodes: int = 1
    budget_bytes: int | None = None


Pack = Callable[[Shaped], bytes]
"""Makes of a frame the bytes that its budget is about: its envelope, for the daemon."""


class Shaper:
    """Makes bitstreams of frames, within their budgets. Thread-safe.

    Args:
        settings: Budgets, and what may be given up for them.
        prefilter: What smooths.
        default_codec: The configuration for frames that name no codec.
    """

    def __init__(
        self, settings: RateSettings, prefilter: Prefilter, default_codec: Mapping[str, Any]
    ) -> None:
        self._settings = settings
        self._prefilter = prefilter
        self._default_codec = default_codec
        self._controller = RateController(policy_of(settings))

    def reconfigure(self, settings: RateSettings, default_codec: Mapping[str, Any]) -> None:
        """From now on, frames are fitted by these; what was learned of the cameras stays."""
        self._settings = settings
        self._default_codec = default_codec
        self._controller.policy = policy_of(settings)

    def has_budget(self, header: FrameHeader) -> bool:
        """Whether the frame has to fit anything."""
        return self._frame_bytes(header) is not None or self._settings.budget_kbps is not None

    def accounts(self) -> dict[str, dict[str, float | None]]:
        """How the cameras with budgets fared, those seen last; for the daemon's status."""
        return {
            str(camera): {
                "frames": account.frames,
                "within": account.within,
                "mean_encodes": round(account.mean_encodes, 2),
                "mean_share": None if account.mean_share is None else round(account.mean_share, 3),
            }
            for camera, account in self._controller.accounts(_SHOWN_CAMERAS).items()
        }

    def shape(self, job: Job, pack: Pack) -> tuple[Shaped, bytes]:
        """One frame, smoothed, scaled, encoded and packed.

        Args:
            job: Decoded and, if it is to be filtered, scored.
            pack: What the budget is about.

        Returns:
            The frame, and what `pack` made of it.

        Raises:
            OverBudgetError: It does not fit, whatever may be given up.
            DeadlineError: Encoding would take longer than the frame has.
            EdgeError: The codec's.
        """
        studio = _Studio(job, job.codec, self._prefilter)
        if not self.has_budget(job.header):
            shaped = studio.made(Attempt(_quality(job.codec)))
            return shaped, pack(shaped)
        budget = Budget(
            self._frame_bytes(job.header), self._settings.budget_kbps, self._settings.burst_s
        )
        return self._fitted(studio, pack, budget, job.asked.get("quality"))

    def respare(self, job: Job, first: Shaped, pack: Pack) -> bytes | None:
        """The frame once more, in a codec that every machine decodes alike.

        It takes the place of the first, so it has the first one's limit and is not charged to the
        camera's rate. Arguments are those of `shape`.

        Returns:
            What `pack` made of it; `None` if it does not fit, or there is no time for it: a frame
            without a spare is better than none.
        """
        codec = spare_codec(self._default_codec)
        studio = _Studio(job, codec, self._prefilter)
        try:
            if first.budget_bytes is None:
                return pack(studio.made(Attempt(_quality(codec))))
            return self._fitted(studio, pack, Budget(first.budget_bytes), _quality(codec))[1]
        except (OverBudgetError, DeadlineError) as error:
            _log.warning("event=no_spare client=%s sequence=%d error=%r", *job.key, str(error))
            return None

    def _fitted(
        self, studio: _Studio, pack: Pack, budget: Budget, ceiling: int | None
    ) -> tuple[Shaped, bytes]:
        pixels, report = studio.at_strength(1.0)
        filtered = report is not None and report.filtered

        def encode(attempt: Attempt) -> tuple[bytes, Shaped]:
            made = studio.made(attempt)
            return pack(made), made

        fitted = self._controller.fit(
            studio.job.header.client,
            studio.codec,
            pixels,
            budget,
            encode,
            now=time.monotonic(),
            ceiling=ceiling,
            policy=self._policy(studio, filtered=filtered),
            variant=report.allocation if report is not None and filtered else "plain",
        )
        shaped = dataclasses.replace(
            fitted.extra, encodes=fitted.encodes, budget_bytes=fitted.budget
        )
        return shaped, fitted.bitstream

    def _policy(self, studio: _Studio, *, filtered: bool) -> Policy:
        """The operator's, without what would change nothing or take too long for this frame."""
        policy = self._controller.policy
        useless = () if filtered else ("smoothing", "semantic")
        order = tuple(knob for knob in policy.order if knob not in useless)
        once_s = studio.expected_encode_s()
        most = policy.max_encodes
        if once_s > 0.0:
            most = min(most, int(studio.left_s() / once_s))
        return dataclasses.replace(policy, order=order, max_encodes=max(_LEAST_ENCODES, most))

    def _frame_bytes(self, header: FrameHeader) -> int | None:
        own = header.budget_bytes
        return self._settings.budget_bytes if own is None else own


def check_able(codec: Codec, allocation: Allocation) -> None:
    """Raise unless a codec can encode here, and take relevance in the form that is wanted.

    Raises:
        NoEncoderError: What encodes is not installed.
        UnsupportedError: The allocation needs a quantiser map, and the codec takes none.
    """
    check_encoder(codec)
    if allocation in {"quantiser", "both"}:
        codec.check_takes_map()


def policy_of(settings: RateSettings) -> Policy:
    """What the settings allow to be given up.

    Raises:
        SettingsError: A bound outside the scale of its codec.
        UnknownCodecError: A bound for a codec that there is not.
    """
    policy = Policy(
        order=settings.order,
        worst_quality=settings.worst_quality,
        strongest=settings.strongest,
        least_scale=settings.least_scale,
        accept_share=settings.accept_share,
        max_encodes=settings.max_encodes,
    )
    for codec_id in settings.worst_quality:
        policy.worst_of(codec_class(codec_id))
    return policy


def spare_codec(default: Mapping[str, Any]) -> Codec:
    """The default codec, if every machine decodes it alike; else JPEG."""
    codec = get_codec(default)
    return codec if codec.exact_everywhere else get_codec({"id": "jpeg"})


class _Studio:
    """One frame's pixels, smoothed as strongly as was last asked for."""

    def __init__(self, job: Job, codec: Codec, prefilter: Prefilter) -> None:
        assert job.pixels is not None
        self.job = job
        self.codec = codec
        self._prefilter = prefilter
        self._source = job.pixels
        self._strength = 0.0
        self._smoothed: NDArray[np.uint8] = job.pixels
        self._report: Report | None = None

    def made(self, attempt: Attempt) -> Shaped:
        """The frame as this attempt has it."""
        pixels, report = self.at_strength(attempt.strength)
        height, width = pixels.shape[:2]
        begun = time.perf_counter()
        if attempt.semantic:
            assert report is not None
            height, width = self._source.shape[:2]
            text = sketch(report).encode("utf-8")
            return Shaped(text, TEXT_CODEC, width, height, True, report, _since_ms(begun))
        if attempt.scale < 1.0:
            width, height = (max(1, round(side * attempt.scale)) for side in (width, height))
            resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            pixels = np.asarray(resized, np.uint8)
        codec = dataclasses.replace(self.codec, quality=attempt.quality)
        offsets = None if report is None else report.offsets
        if codec.codec_id != self.job.codec.codec_id and not codec.takes_map():
            offsets = None  # a spare: the map was made for the other codec
        self._check_time(codec.expected_encode_s(width, height), f"{width}x{height} pixels")
        bitstream = codec.encode(pixels, offsets)
        config = codec.get_config()
        return Shaped(bitstream, config, width, height, False, report, _since_ms(begun))

    def at_strength(self, strength: float) -> tuple[NDArray[np.uint8], Report | None]:
        """The pixels and the report, filtered so many times as strongly as the plan says."""
        job = self.job
        if job.plan is not None and job.scores is not None and strength != self._strength:
            self._smoothed, self._report = self._prefilter.smooth(
                self._source, job.plan, job.scores, strength=strength
            )
            self._strength = strength
        return self._smoothed, self._report

    def expected_encode_s(self) -> float:
        """Seconds that one encoding of the whole picture will take."""
        height, width = self._source.shape[:2]
        return self.codec.expected_encode_s(width, height)

    def left_s(self) -> float:
        """Seconds until the frame's deadline."""
        return max(0.0, self.job.deadline - time.monotonic())

    def _check_time(self, expected_s: float, size: str) -> None:
        if expected_s > self.left_s():
            raise DeadlineError(
                f"encoding {size} with {self.codec.codec_id} would take longer than is left",
                value=Verbatim(f"{expected_s:.3g} s of work, {self.left_s():.3g} s left"),
                remedy="allow more (deadline_s), send a smaller picture, or use a faster codec",
            )


def _quality(codec: Codec) -> int:
    return int(codec.get_config()["quality"])


def _since_ms(moment: float) -> float:
    return 1000 * (time.perf_counter() - moment)
