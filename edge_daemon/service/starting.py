"""What is checked and loaded before a daemon starts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
import zmq.asyncio

from edge_daemon.codecs import (
    codec_class,
    codec_ids,
    codec_status,
    configure_codecs,
    get_codec,
)
from edge_daemon.keys import ClientKeys, ServerKeys, secure_client
from edge_daemon.prefilter import Prefilter
from edge_daemon.semantic.coding import side_of
from edge_daemon.semantic.describer import Describer
from edge_daemon.service.shaping import check_able, policy_of
from edge_daemon.settings import Settings, check_bind
from models import Bundle

_log = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Checks what can be checked without starting anything; the errors are those of `run`."""
    configure_codecs(settings)
    check_settings(settings)
    Describer(settings.semantic, load_prefilter(settings).bundle)


def check_settings(settings: Settings) -> None:
    """Checks endpoint, keys, default codec, bounds and side information; as `run` does."""
    front = settings.front
    check_bind(
        front.bind, allow_insecure=front.allow_insecure_bind, encrypted=front.keys is not None
    )
    if front.keys is not None:
        ServerKeys.load(front.keys, "edge-front")
    uplink_keys(settings)
    check_able(get_codec(settings.codec), settings.prefilter.allocation)
    policy_of(settings.rate)
    if settings.semantic.side != "none":
        side_of(np.zeros((64, 64, 3), np.uint8), settings.semantic.side)


def uplink_keys(settings: Settings) -> Callable[[zmq.asyncio.Socket], None] | None:
    """What sets the uplink's keys; `None`: plain."""
    directory = settings.uplink.keys
    if directory is None:
        return None
    return partial(secure_client, keys=ClientKeys.load(directory, "edge-uplink"))


def load_codecs() -> None:
    """Imports every codec, so that no frame has to wait for that; logs what each can do here."""
    for codec_id in codec_ids():
        status = codec_status(codec_id)
        if status.problem:
            _log.warning("event=codec_missing codec=%s problem=%r", codec_id, status.problem)
        else:
            _log.info(
                "event=codec codec=%s encoder=%r version=%r map=%s note=%r",
                codec_id,
                status.encoder,
                status.version,
                "yes" if codec_class(codec_id).takes_map() else "no",
                status.note,
            )


def log_bundle(bundle: Bundle) -> None:
    """Logs which bundle serves, on what, and why not on something better."""
    facts = bundle.describe()
    words = ("name", "architecture", "precision", "licence", "source", "notice")
    _log.info("event=bundle %s", " ".join(f"{name}={facts[name]!r}" for name in words))
    _log.info(
        "event=encoder backend=%s image=%s text=%s",
        bundle.backend,
        facts["image"],
        facts["text"],
    )
    for name, reason in bundle.passed_over.items():
        _log.info("event=encoder_passed_over backend=%s reason=%r", name, reason)


def load_prefilter(settings: Settings, *, build_engines: bool = False) -> Prefilter:
    """The prefilter that the settings describe; the errors are those of `run`.

    Args:
        settings: Of the daemon.
        build_engines: For whoever stays: build what is missing in the background.
    """
    return Prefilter.from_bundle(
        settings.bundle,
        settings.prefilter,
        settings.prompt,
        settings.video,
        threads=settings.stages.encoder_threads,
        backend=settings.encoder.backend,
        engines=settings.encoder.engines,
        build_engines=build_engines,
    )
