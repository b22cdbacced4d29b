"""The daemon's process: start-up, main loop, shutdown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from edge_daemon.codecs import (
    close_codecs,
    codec_class,
    codec_ids,
    codec_status,
    configure_codecs,
    get_codec,
)
from edge_daemon.lifecycle import EXIT_ABANDONED, EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.prefilter import Prefilter
from edge_daemon.service.admission import Admission, stopping
from edge_daemon.service.front import Front
from edge_daemon.service.memory import Memory
from edge_daemon.service.shaping import check_able, policy_of
from edge_daemon.service.stages import Stages
from edge_daemon.settings import Settings, check_bind
from edge_daemon.uplink import Uplink
from edge_daemon.wire import StatusReply
from kernels import default_backend

_log = logging.getLogger(__name__)

_LAST_ANSWERS_S = 1.0


def run(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Runs a daemon until SIGTERM or SIGINT; a second signal ends it at once.

    Args:
        settings: All of them but `cloud`.
        ready: Called with the bound endpoint once frames are taken.

    Returns:
        The process's exit code: 0; 1 for a defect; 4 if frames or envelopes were abandoned.

    Raises:
        SettingsError: A setting cannot be used.
        BindError: The endpoint cannot be listened on.
        UnknownCodecError: No such codec as the default one.
        NoEncoderError: It cannot encode here.
        UnsupportedError: It takes no quantiser map, and the allocation needs one.
        BadQualityError: Its options are not valid.
        models.BundleError: The bundle is missing or damaged.
    """
    configure_codecs(settings)
    check_settings(settings)
    load_codecs()
    return asyncio.run(Daemon(settings, load_prefilter(settings)).serve(ready))


def check(settings: Settings) -> None:
    """Checks what can be checked without starting anything; the errors are those of `run`."""
    configure_codecs(settings)
    check_settings(settings)
    load_prefilter(settings)


def check_settings(settings: Settings) -> None:
    """Checks the endpoint, the default codec and the bounds; the errors are those of `run`."""
    check_bind(settings.front.bind, allow_insecure=settings.front.allow_insecure_bind)
    check_able(get_codec(settings.codec), settings.prefilter.allocation)
    policy_of(settings.rate)


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


def load_prefilter(settings: Settings) -> Prefilter:
    """The prefilter that the settings describe; the errors are those of `run`."""
    return Prefilter.from_bundle(
        settings.bundle,
        settings.prefilter,
        settings.prompt,
        threads=settings.stages.encoder_threads,
    )


class Daemon:
    """The front socket, the stages and the uplink, as one."""

    def __init__(self, settings: Settings, prefilter: Prefilter) -> None:
        self._settings = settings
        self._prefilter = prefilter
        self._counters: Counter[str] = Counter()
        self._memory = Memory()
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        endpoint = await self.startup()
        if ready is not None:
            ready(endpoint)
        whole = await self.main_loop()
        abandoned = await self.shutdown()
        if not whole:
            return EXIT_DEFECT
        return EXIT_ABANDONED if abandoned else EXIT_CLEAN

    async def startup(self) -> str:
        """Opens the way to the cloud, the stages, and last the front; returns its endpoint."""
        self._begun = time.monotonic()
        # Queues and events belong to the running loop, so the parts are made here.
        self._uplink = Uplink(self._settings.uplink)
        self._stages = Stages(
            self._settings, self._prefilter, self._memory, self._uplink, self._counters
        )
        self._admission = Admission(
            self._settings, self._memory, self._stages, self._uplink, self._counters
        )
        self._front = Front(self._settings, self._admission, self.status, self._counters)
        self._bundle = self._prefilter.bundle.describe()
        endpoint = self._front.open()
        self._uplink.open()
        self._workers = self._stages.start()
        _log.info("event=bundle %s", " ".join(f"{k}={v!r}" for k, v in self._bundle.items()))
        _log.info(
            "event=ready version=%s bind=%s cloud=%s codec=%r kernel=%s threads=%d "
            "encoder_threads=%d",
            _version(),
            endpoint,
            " ".join(self._settings.uplink.connect),
            get_codec(self._settings.codec).get_config(),
            default_backend(),
            self._settings.stages.threads,
            self._settings.stages.encoder_threads,
        )
        return endpoint

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if a vital part ended by itself."""
        return await self.stop.wait_beside(self._front.task, self._uplink.task, *self._workers)

    async def shutdown(self) -> int:
        """Takes nothing new, finishes what is in work, and drains the uplink, each for a while.

        Returns:
            How many frames and envelopes were abandoned.
        """
        self._admission.stopping = True
        await self._memory.idle(self._settings.stages.drain_s)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._stages.stop()
        close_codecs()
        unfinished = self._memory.abandon(stopping())
        undelivered = await self._uplink.close(self._settings.uplink.drain_s)
        await self._front.close(_LAST_ANSWERS_S)
        level = logging.WARNING if unfinished or undelivered else logging.INFO
        _log.log(
            level,
            "event=stopped frames_abandoned=%d envelopes_abandoned=%d frames_done=%d",
            unfinished,
            undelivered,
            self._counters["frames_done"],
        )
        return unfinished + undelivered

    def status(self) -> StatusReply:
        """How the daemon is."""
        limits = self._settings.limits
        return StatusReply(
            daemon_version=_version(),
            uptime_s=round(time.monotonic() - self._begun, 3),
            bundle=self._bundle,
            codecs=[one for one in codec_ids() if not codec_status(one).problem],
            codec_problems={
                one: problem for one in codec_ids() if (problem := codec_status(one).problem)
            },
            limits={
                "max_payload_bytes": limits.max_payload_bytes,
                "max_pixels": limits.max_pixels,
                "max_header_bytes": limits.max_header_bytes,
                "max_prompt_bytes": self._settings.prompt.max_bytes,
            },
            queues={**self._stages.queues(), **self._uplink.queues()},
            budgets=self._stages.budgets(),
            counters={**self._counters, **self._uplink.counters()},
            link="up" if self._uplink.up else "down",
        )


def _version() -> str:
    try:
        return version("edge-daemon")
    except PackageNotFoundError:
        return "unknown"
