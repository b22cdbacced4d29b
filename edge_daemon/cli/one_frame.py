"""One picture on the command line, taken through the daemon's own last stages without a daemon."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from edge_daemon.codecs import Codec
from edge_daemon.errors import SettingsError
from edge_daemon.pictures import Picture, PictureLimits
from edge_daemon.semantic.describer import Describer
from edge_daemon.service import load_prefilter
from edge_daemon.service.job import Job
from edge_daemon.service.sealing import sealed
from edge_daemon.service.shaped import Shaped
from edge_daemon.service.shaping import Shaper, check_able
from edge_daemon.service.studio import Studio
from edge_daemon.service.texts import TextShaper
from edge_daemon.settings import Settings
from edge_daemon.wire import FrameHeader, pack_envelope

_PATIENCE_S: Final = 24 * 3600.0
"""At the command line, only its user decides what takes too long."""


def check_lossless(settings: Settings, budget_bytes: int | None) -> None:
    """Raise `SettingsError` for what a lossless file cannot do."""
    if settings.prefilter.allocation in {"quantiser", "both"}:
        raise SettingsError(
            "a PNG has no quantiser to spend relevance on",
            value=settings.prefilter.allocation,
            remedy="use allocation 'smooth' or 'auto', or another ending for the output",
        )
    if budget_bytes is not None:
        raise SettingsError(
            "a PNG is lossless and cannot be made to fit a budget",
            value=budget_bytes,
            remedy="drop --budget-bytes, or use another ending for the output",
        )


def as_job(
    prompt: list[str],
    codec: Codec,
    picture: Picture,
    payload_bytes: int,
    budget_bytes: int | None,
    *,
    asked: bool,
) -> Job:
    """The picture as a frame that was let in.

    Args:
        prompt: As given.
        codec: What encodes it.
        picture: Decoded.
        payload_bytes: Of its file.
        budget_bytes: Most bytes of the result; `None` for no budget.
        asked: Whether somebody asked for the codec's quality, so that a budget must not exceed it.
    """
    config = codec.get_config()
    if not asked:
        del config["quality"]
    header = FrameHeader(
        client="cli", sequence=0, prompt=prompt, codec=config, budget_bytes=budget_bytes
    )
    now = time.monotonic()
    return Job(
        header,
        b"",
        payload_bytes,
        codec,
        now,
        now + _PATIENCE_S,
        PictureLimits(),
        asked=config,
        pixels=picture.pixels,
    )


def encoded(job: Job, settings: Settings, *, sealing: bool) -> tuple[Shaped, bytes]:
    """The frame filtered and encoded, and what is written of it: an envelope or the bitstream."""
    prefilter = load_prefilter(settings)
    assert job.pixels is not None
    check_able(job.codec, settings.prefilter.allocation)
    job.plan = prefilter.plan(job.pixels, job.header.prompts, quantiser=job.codec.quantiser)
    (job.scores,) = prefilter.score([job.plan])
    describer = Describer(settings.semantic, prefilter.bundle)
    texts = TextShaper(settings.semantic, describer, keeps_pixels=False)
    shaper = Shaper(settings.rate, settings.codec, texts)
    return shaper.shape(
        Studio(job, job.codec, prefilter),
        lambda made: pack_envelope(sealed(job, made)) if sealing else made.bitstream,
    )


def without_prefilter(codec: Codec, shaped: Shaped, picture: Picture) -> bytes:
    """The picture encoded without the prefilter, at the quality that was used."""
    quality = shaped.codec.get("quality")
    return (codec if quality is None else replace(codec, quality=quality)).encode(picture.pixels)
