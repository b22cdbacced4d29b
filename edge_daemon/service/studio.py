"""One frame's pixels in the forms that its attempts at a bitstream need."""

from __future__ import annotations

import copy
import dataclasses
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.errors import DeadlineError, Verbatim
from edge_daemon.prefilter import Prefilter, Report
from edge_daemon.prefilter.regions import boxes_of, veil
from edge_daemon.quantiser import Quantiser
from edge_daemon.rate import Attempt
from edge_daemon.service.job import Job
from edge_daemon.service.shaped import Shaped


class Studio:
    """One frame's pixels, smoothed as strongly as was last asked for.

    Args:
        job: Decoded and, if it is to be filtered, scored.
        codec: What encodes it.
        prefilter: What smooths.
    """

    def __init__(self, job: Job, codec: Codec, prefilter: Prefilter) -> None:
        assert job.pixels is not None
        self.job = job
        self.codec = codec
        self._prefilter = prefilter
        self._source = job.pixels
        self._smoothed_for: tuple[float, Quantiser | None] | None = None
        self._smoothed: NDArray[np.uint8] = job.pixels
        self._report: Report | None = None

    def in_codec(self, codec: Codec) -> Studio:
        """The same pixels, for another codec."""
        other = copy.copy(self)
        other.codec = codec
        return other

    def made(self, attempt: Attempt) -> Shaped:
        """The picture as this attempt, which is not semantic, has it."""
        codec = dataclasses.replace(self.codec, quality=attempt.quality)
        pixels, report = self._filtered(attempt.strength, codec.quantiser)
        height, width = pixels.shape[:2]
        begun = time.perf_counter()
        if attempt.scale < 1.0:
            width, height = (max(1, round(side * attempt.scale)) for side in (width, height))
            resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            pixels = np.asarray(resized, np.uint8)
        offsets = None if report is None else report.offsets
        if codec.codec_id != self.job.codec.codec_id and not codec.takes_map():
            offsets = None  # a spare: the map was made for the other codec
        self._check_time(codec.expected_encode_s(width, height), f"{width}x{height} pixels")
        bitstream = codec.encode(pixels, offsets)
        codec_ms = 1000 * (time.perf_counter() - begun)
        return Shaped(bitstream, codec.get_config(), width, height, None, report, codec_ms)

    def at_strength(self, strength: float) -> tuple[NDArray[np.uint8], Report | None]:
        """The pixels and the report, filtered so many times as strongly as the plan says."""
        return self._filtered(strength, self.codec.quantiser)

    def veiled(self) -> NDArray[np.uint8]:
        """The source as whoever describes it may see it: masked regions show nothing."""
        plan = self.job.plan
        if plan is None:
            return self._source
        return veil(self._source, boxes_of(plan.spending.mask, plan.height, plan.width))

    def expected_encode_s(self) -> float:
        """Seconds that one encoding of the whole picture will take."""
        height, width = self._source.shape[:2]
        return self.codec.expected_encode_s(width, height)

    def left_s(self) -> float:
        """Seconds until the frame's deadline."""
        return max(0.0, self.job.deadline - time.monotonic())

    def _filtered(
        self, strength: float, quantiser: Quantiser
    ) -> tuple[NDArray[np.uint8], Report | None]:
        job = self.job
        if job.plan is None or job.scores is None:
            return self._smoothed, self._report
        # Other mappings give the same pixels at every quality.
        wanted = (strength, quantiser if job.plan.spending.mapping == "matched" else None)
        if wanted != self._smoothed_for:
            self._smoothed, self._report = self._prefilter.smooth(
                self._source, job.plan, job.scores, strength=strength, quantiser=quantiser
            )
            self._smoothed_for = wanted
        return self._smoothed, self._report

    def _check_time(self, expected_s: float, size: str) -> None:
        if expected_s > self.left_s():
            raise DeadlineError(
                f"encoding {size} with {self.codec.codec_id} would take longer than is left",
                value=Verbatim(f"{expected_s:.3g} s of work, {self.left_s():.3g} s left"),
                remedy="allow more (deadline_s), send a smaller picture, or use a faster codec",
            )
