"""What is told of a frame that is done: to the camera, and to the cloud in its envelope."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter import Report
from edge_daemon.service.job import Finished, Job
from edge_daemon.service.shaped import Shaped
from edge_daemon.wire import Envelope, SentMode, seal

_MOST_TOLD: Final = 512
"""Numbers of relevance per envelope, some 3 kB; as many as the largest tile budget."""


def shared_facts(job: Job, shaped: Shaped) -> dict[str, Any]:
    """What both the result and the envelope say."""
    timings_ms = dict(job.timings_ms)
    if shaped.report is not None:
        timings_ms.update(shaped.report.timings_ms)
    if shaped.describe_ms is not None:
        timings_ms["describe"] = shaped.describe_ms
    timings_ms["codec"] = shaped.codec_ms
    return {
        "client": job.header.client,
        "sequence": job.header.sequence,
        "mode": _sent_mode(job, shaped),
        "codec": shaped.codec,
        "source_bytes": job.payload_bytes,
        "semantic": shaped.semantic,
        "timings_ms": {stage: round(spent, 3) for stage, spent in timings_ms.items()},
    }


def _sent_mode(job: Job, shaped: Shaped) -> SentMode:
    """What the frame is sent as: of one that was to be text, there is also the picture."""
    if shaped.semantic is not None:
        return "semantic"
    if job.header.mode != "semantic":
        return job.header.mode
    asked = job.plan is not None and any(prompt.text for prompt in job.plan.prompts)
    return "prefilter" if asked else "plain"


def unchanged(job: Job, share: float) -> Finished:
    """What is told of a frame that is not sent, since too little changed."""
    height, width = job.pixels.shape[:2] if job.pixels is not None else (0, 0)
    facts: dict[str, Any] = {
        "client": job.header.client,
        "sequence": job.header.sequence,
        "mode": "unchanged",
        "codec": job.codec.get_config(),
        "width": width,
        "height": height,
        "encodes": 0,
        "source_bytes": job.payload_bytes,
        "bitstream_bytes": 0,
        "bitstream_sha256": hashlib.sha256(b"").hexdigest(),
        "envelope_bytes": 0,
        "report": {"changed_share": round(share, 6), "min_change": job.rules.min_change},
        "timings_ms": {stage: round(spent, 3) for stage, spent in job.timings_ms.items()},
    }
    job.pixels = job.plan = job.scores = None
    return Finished(job, facts, b"", None, unchanged=True)


def sealed(job: Job, shaped: Shaped) -> Envelope:
    """The envelope of a frame that is done.

    That of a text says nothing of times and tiles, which would be longer than the text.
    """
    assert job.pixels is not None
    height, width = job.pixels.shape[:2]
    resized = (shaped.width, shaped.height) != (width, height)
    facts = shared_facts(job, shaped)
    report = shaped.report
    if shaped.semantic is not None:
        facts["timings_ms"], report = {}, None
    return seal(
        shaped.bitstream,
        digest=shaped.digest,
        prompts=list(job.header.prompts),
        width=shaped.width,
        height=shaped.height,
        source_width=width if resized else None,
        source_height=height if resized else None,
        fingerprint=None if job.mark is None else f"{job.mark.result():x}",
        relevance=None if report is None else relevance_summary(report),
        **facts,
    )


def relevance_summary(report: Report) -> dict[str, Any]:
    """What the cloud is told of the report: every byte of it crosses the uplink.

    Where the prompt's object is (the relevance of each tile, or of groups of them), how strongly
    the rest was smoothed, and what to know before believing it.
    """
    facts = report.to_dict()
    relevance = _seen_from_afar(report)
    return {
        "bundle": facts["bundle"],
        "notice": facts["notice"],
        "notes": facts["notes"],
        "grid": list(relevance.shape[::-1]),
        "relevances": [round(float(r), 2) for r in relevance.ravel()],
        "allocation": facts["allocation"],
        "sigma_px": facts["sigma_px"],
        "offset_steps": facts["offset_steps"],
        "kept_share": facts["kept_share"],
        "masked_share": facts["masked_share"],
    }


def _seen_from_afar(report: Report) -> NDArray[np.float64]:
    """The relevance of the tiles, (rows, columns); of a fine grid, the most in each group."""
    columns, rows = report.grid
    relevance = np.array([tile.relevance for tile in report.tiles]).reshape(rows, columns)
    group = 1
    while math.ceil(rows / group) * math.ceil(columns / group) > _MOST_TOLD:
        group += 1
    if group > 1:
        for axis, side in enumerate((rows, columns)):
            relevance = np.maximum.reduceat(relevance, range(0, side, group), axis=axis)
    return relevance
