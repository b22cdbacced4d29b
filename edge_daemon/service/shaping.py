"""From a scored frame to a bitstream that fits: smoothed, scaled, encoded, as often as it takes."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

from edge_daemon.codecs import Codec, check_encoder, codec_class, get_codec
from edge_daemon.errors import DeadlineError, EncodeError, OverBudgetError
from edge_daemon.rate import Attempt, Budget, Knob, Policy, RateController
from edge_daemon.service.job import Job
from edge_daemon.service.shaped import Pack, Shaped
from edge_daemon.service.studio import Studio
from edge_daemon.service.texts import TextShaper
from edge_daemon.settings import Allocation, RateSettings
from edge_daemon.wire import FrameHeader

_log = logging.getLogger(__name__)

SLOW_S = 2.0
"""Seconds of encoding beyond which a picture goes by the slow lane."""

_SHOWN_CAMERAS = 64
"""Most cameras whose budgets the status tells of."""
_LEAST_ENCODES = 3
"""What fitting needs at least: a guess, its correction, and the end of what may be given up."""


class Shaper:
    """Makes bitstreams of frames, within their budgets. Thread-safe.

    Args:
        settings: Budgets, and what may be given up for them.
        default_codec: The configuration for frames that name no codec.
        texts: What makes texts of frames that are to be text, or of which no picture fits.
    """

    def __init__(
        self, settings: RateSettings, default_codec: Mapping[str, Any], texts: TextShaper
    ) -> None:
        self._settings = settings
        self._default_codec = default_codec
        self._texts = texts
        self._controller = RateController(policy_of(settings))

    def reconfigure(
        self, settings: RateSettings, default_codec: Mapping[str, Any], texts: TextShaper
    ) -> None:
        """From now on, frames are fitted by these; what was learned of the cameras stays."""
        self._settings = settings
        self._default_codec = default_codec
        self._texts = texts
        self._controller.policy = policy_of(settings)

    def is_slow(self, job: Job) -> bool:
        """Whether a frame that was just decoded will take seconds."""
        assert job.pixels is not None
        height, width = job.pixels.shape[:2]
        asks = job.header.mode == "semantic" and not self._texts.local
        return asks or job.codec.expected_encode_s(width, height) > SLOW_S

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

    def shape(self, studio: Studio, pack: Pack) -> tuple[Shaped, bytes]:
        """One frame, smoothed, scaled, encoded and packed; or described and packed.

        Args:
            studio: Has the frame's pixels.
            pack: What the budget is about.

        Returns:
            The frame, and what `pack` made of it.

        Raises:
            OverBudgetError: It does not fit, whatever may be given up.
            DeadlineError: Encoding would take longer than the frame has.
            EdgeError: The codec's.
        """
        job, budget = studio.job, None
        if self.has_budget(job.header):
            budget = Budget(
                self._frame_bytes(job.header), self._settings.budget_kbps, self._settings.burst_s
            )
        if job.header.mode == "semantic":
            return self._as_text(studio, pack, budget)
        if budget is None:
            shaped = studio.made(Attempt(_quality(job.codec)))
            return shaped, pack(shaped)
        return self._fitted(studio, pack, budget, job.asked.get("quality"))

    def spare(self, studio: Studio, first: Shaped, pack: Pack) -> bytes | None:
        """The frame once more, in the form that the cloud may want instead; if it may want any.

        Of what was to be text that is the picture. It has the operator's limits: no camera asked
        for its bytes. Of a picture in a learned codec it is the picture in one that every machine
        decodes alike, with the first one's limit. Neither is charged to the camera's rate.
        Arguments are those of `shape`, and what came of it.

        Returns:
            What `pack` made of it; `None` if none is wanted, it cannot be encoded or does not fit,
            or there is no time for it: a frame without a spare is better than none.
        """
        job = studio.job
        try:
            if first.semantic is not None:
                return self._picture(studio, pack) if first.semantic.pixels_kept else None
            return None if job.codec.exact_everywhere else self._respare(studio, first, pack)
        except (OverBudgetError, DeadlineError, EncodeError) as error:
            _log.warning("event=no_spare client=%s sequence=%d error=%r", *job.key, str(error))
            return None

    def _picture(self, studio: Studio, pack: Pack) -> bytes:
        job = studio.job
        settings, limits = self._settings, list[int]()
        if settings.budget_bytes is not None:
            limits.append(settings.budget_bytes)
        if settings.budget_kbps is not None:
            limits.append(int(settings.budget_kbps * 1000 / 8 * settings.burst_s))
        if not limits:
            return pack(studio.made(Attempt(_quality(job.codec))))
        budget, ceiling = Budget(max(1, min(limits))), job.asked.get("quality")
        return self._fitted(studio, pack, budget, ceiling, without=("semantic",))[1]

    def _respare(self, studio: Studio, first: Shaped, pack: Pack) -> bytes:
        codec = get_codec(exact_config(self._default_codec))
        studio = studio.in_codec(codec)
        if first.budget_bytes is None:
            return pack(studio.made(Attempt(_quality(codec))))
        return self._fitted(studio, pack, Budget(first.budget_bytes), _quality(codec))[1]

    def _as_text(self, studio: Studio, pack: Pack, budget: Budget | None) -> tuple[Shaped, bytes]:
        def encode(attempt: Attempt) -> tuple[bytes, Shaped]:
            shaped, packed = self._texts.shape(studio, pack, attempt.room)
            return packed, shaped

        if budget is None:
            return self._texts.shape(studio, pack, None)
        client, now = studio.job.header.client, time.monotonic()
        fitted = self._controller.fit_text(client, budget, encode, now=now)
        return dataclasses.replace(fitted.extra, budget_bytes=fitted.budget), fitted.bitstream

    def _fitted(
        self,
        studio: Studio,
        pack: Pack,
        budget: Budget,
        ceiling: int | None,
        without: tuple[Knob, ...] = (),
    ) -> tuple[Shaped, bytes]:
        pixels, report = studio.at_strength(1.0)
        filtered = report is not None and report.filtered

        def encode(attempt: Attempt) -> tuple[bytes, Shaped]:
            if attempt.semantic:
                shaped, packed = self._texts.instead(studio, pack, attempt.room)
                return packed, shaped
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
            policy=self._policy(studio, without if filtered else (*without, "smoothing")),
            variant=report.allocation if report is not None and filtered else "plain",
        )
        shaped = dataclasses.replace(
            fitted.extra, encodes=fitted.encodes, budget_bytes=fitted.budget
        )
        return shaped, fitted.bitstream

    def _policy(self, studio: Studio, without: tuple[Knob, ...]) -> Policy:
        """The operator's, without what would change nothing or take too long for this frame."""
        policy = self._controller.policy
        if studio.job.header.mode == "plain":
            without = (*without, "semantic")  # the picture as it is, or nothing
        order = tuple(knob for knob in policy.order if knob not in without)
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


def exact_config(*configs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first of these whose codec every machine decodes alike; else JPEG's."""
    exact = (config for config in configs if get_codec(config).exact_everywhere)
    return next(exact, {"id": "jpeg"})


def _quality(codec: Codec) -> int:
    return int(codec.get_config()["quality"])
