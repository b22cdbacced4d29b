"""What the stages do to a frame: the parts that run in threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from edge_daemon.pictures import from_raw, open_picture
from edge_daemon.prefilter import Plan, Prefilter, Scores
from edge_daemon.semantic.sight import OVERLAP, TILES
from edge_daemon.service.job import Finished, Job
from edge_daemon.service.leaving import WayOut
from edge_daemon.service.sealing import sealed, shared_facts, unchanged
from edge_daemon.service.shaped import Shaped
from edge_daemon.service.shaping import Shaper
from edge_daemon.service.studio import Studio
from edge_daemon.service.texts import Describes, TextShaper, without_pixels
from edge_daemon.settings import Settings
from edge_daemon.wire import pack_envelope


class Work:
    """The work of the stages. Thread-safe, as long as one thread at a time has a frame."""

    def __init__(
        self, settings: Settings, prefilter: Prefilter, describer: Describes, uplink: WayOut
    ) -> None:
        self._prefilter = prefilter
        self._uplink = uplink
        texts = self._texts(settings, describer)
        self._shaper = Shaper(settings.rate, settings.codec, texts)

    def reconfigure(self, settings: Settings, describer: Describes) -> None:
        """From now on, frames are fitted by these."""
        texts = self._texts(settings, describer)
        self._shaper.reconfigure(settings.rate, settings.codec, texts)

    def budgets(self) -> dict[str, dict[str, float | None]]:
        """How the cameras with budgets fared."""
        return self._shaper.accounts()

    def open(self, job: Job) -> Job:
        """Payload to pixels, and what the encoder needs of them."""
        begun = time.monotonic()
        raw = job.header.raw
        if raw is None:
            picture = open_picture(bytes(job.payload), job.limits)
        else:
            # Nobody else uses the message's memory.
            picture = from_raw(job.payload, tuple(raw.shape), raw.dtype, job.limits, copy=False)
        job.payload, job.pixels = b"", picture.pixels
        job.slow = self._shaper.is_slow(job)
        job.timings_ms["open"] = 1000 * (time.monotonic() - begun)
        camera, watch, mode = job.header.client, _watched(job), job.header.mode
        if mode != "plain":
            settings = self._prefilter.settings
            if job.header.allocation is not None:
                settings = settings.model_copy(update={"allocation": job.header.allocation})
            if mode == "semantic":
                # The tiles are looked at once more, for what to say of them.
                looked = {
                    "overlap": max(settings.overlap, OVERLAP),
                    "tile_budget": settings.tile_budget or TILES,
                }
                settings = settings.model_copy(update=looked)
            job.plan = self._prefilter.plan(
                picture.pixels,
                job.header.prompts,
                settings,
                quantiser=job.codec.quantiser,
                link_idle=mode == "prefilter"
                and self._uplink.idle
                and not self._shaper.has_budget(job.header),
                camera=camera,
                watch=watch,
            )
        elif self._prefilter.settings.mask or watch is not None:
            # A mask is the operator's word: no client can ask for the picture without it.
            job.plan = self._prefilter.plan(picture.pixels, (), camera=camera, watch=watch)
        return job

    def score(self, plans: Sequence[Plan]) -> list[Scores]:
        """The tiles of several frames, in one call of the encoder."""
        return self._prefilter.score(plans)

    def remember(self, plan: Plan) -> None:
        """See `Prefilter.remember`."""
        self._prefilter.remember(plan)

    def finish(self, job: Job) -> Finished:
        """Smoothed, encoded, sealed; and a spare, if the cloud may want something else instead.

        A frame of which too little changed since the last that was sent is none of this.
        """
        sent = None
        if job.plan is not None and job.scores is not None and job.rules.min_change > 0:
            share = self._prefilter.changed(job.plan, job.scores)
            job.scores = replace(job.scores, changed_share=share)
            silence_s = self._prefilter.silence_s(job.header.client)
            if share < job.rules.min_change and silence_s < job.rules.max_silence_s:
                return unchanged(job, share)
            sent = partial(self._prefilter.sent, job.plan.lean(), job.scores.lean())
            if job.header.mode == "plain" and not self._prefilter.settings.mask:
                job.plan = None  # it was only watched

        def pack(made: Shaped) -> bytes:
            return pack_envelope(sealed(job, made))

        studio = Studio(job, job.codec, self._prefilter)
        shaped, packed = self._shaper.shape(studio, pack)
        spare = self._shaper.spare(studio, shaped, pack)
        if spare is None and shaped.semantic is not None and shaped.semantic.pixels_kept:
            shaped = without_pixels(shaped)
            packed = pack(shaped)
        height, width = job.pixels.shape[:2] if job.pixels is not None else (0, 0)
        facts: dict[str, object] = {
            **shared_facts(job, shaped),
            "width": width,
            "height": height,
            "coded_width": None if shaped.semantic else shaped.width,
            "coded_height": None if shaped.semantic else shaped.height,
            "encodes": shaped.encodes,
            "budget_bytes": shaped.budget_bytes,
            "bitstream_bytes": len(shaped.bitstream),
            "bitstream_sha256": shaped.digest,
            "envelope_bytes": len(packed),
            "report": None if shaped.report is None else shaped.report.to_dict(),
        }
        # A frame that waits for its turn holds its envelope only.
        job.pixels = job.plan = job.scores = None
        return Finished(job, facts, packed, spare, sent=sent)

    def _texts(self, settings: Settings, describer: Describes) -> TextShaper:
        # Where the cloud's word does not come back, it can't ask for a picture.
        keeps_pixels = settings.semantic.keep_pixels and self._uplink.cloud_answers
        return TextShaper(settings.semantic, describer, keeps_pixels=keeps_pixels)


def _watched(job: Job) -> str | None:
    """What else must be equal for a frame to be the same as the last: `None` if nobody compares."""
    if job.rules.min_change <= 0:
        return None
    header = job.header
    return repr((header.mode, header.caption, header.prompts, job.codec.get_config()))
