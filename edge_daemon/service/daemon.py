"""The daemon's process: start-up, main loop, shutdown."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
from collections import Counter
from collections.abc import Callable

from edge_daemon.codecs import (
    close_codecs,
    configure_codecs,
    get_codec,
)
from edge_daemon.errors import EdgeError
from edge_daemon.heap import keep_freed_memory
from edge_daemon.lifecycle import (
    EXIT_ABANDONED,
    EXIT_CLEAN,
    EXIT_DEFECT,
    ReloadRequest,
    StopRequest,
)
from edge_daemon.prefilter import Prefilter
from edge_daemon.reload import Load, Reloader
from edge_daemon.semantic.describer import Describer
from edge_daemon.service.activity import Activity
from edge_daemon.service.admission import Admission, stopping
from edge_daemon.service.front import Front
from edge_daemon.service.memory import Memory
from edge_daemon.service.overview import Overview, version_of_daemon
from edge_daemon.service.reconfiguring import Reconfiguring
from edge_daemon.service.stages import Stages
from edge_daemon.service.starting import (
    check_settings,
    load_codecs,
    load_prefilter,
    log_bundle,
    uplink_keys,
)
from edge_daemon.service.warming import MakeDescriber, warm_soon
from edge_daemon.settings import Settings, rules_of
from edge_daemon.settings.live import Live
from edge_daemon.systemd import Notifier, Watchdog, watchdog_period_s
from edge_daemon.telemetry import Health, Telemetry
from edge_daemon.uplink import SpoolThread, Uplink, make_transport
from edge_daemon.wire import StatusReply
from kernels import default_backend

_log = logging.getLogger(__name__)

_LAST_ANSWERS_S = 1.0
_MARGIN_S = 15.0


def run(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    load: Load | None = None,
) -> int:
    """Runs a daemon until SIGTERM or SIGINT; a second signal ends it at once, SIGHUP reloads.

    Args:
        settings: All of them but `cloud`.
        ready: Called with the bound endpoint once frames are taken.
        load: Reads the settings anew for a reload; `None`: a reload changes nothing.

    Returns:
        The process's exit code: 0; 1 for a defect; 4 if frames or envelopes were abandoned.

    Raises:
        SettingsError: A setting cannot be used.
        BindError: An endpoint cannot be listened on.
        KeysError: Keys are missing, malformed or open to other users.
        StorageError: The spool's directory cannot be used.
        UnknownCodecError: No such codec as the default one.
        NoEncoderError: It cannot encode here.
        UnsupportedError: It takes no quantiser map, and the allocation needs one.
        BadQualityError: Its options are not valid.
        models.BundleError: The bundle is missing or damaged.
    """
    # The watchdog's SIGABRT, or a crash in a library, then leaves every thread's traceback.
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    if not keep_freed_memory():
        _log.info("event=heap_as_it_is reason='not the allocator of glibc'")
    configure_codecs(settings)
    check_settings(settings)
    load_codecs()
    prefilter = load_prefilter(settings, build_engines=True)
    return asyncio.run(Daemon(settings, prefilter, load).serve(ready))


class Daemon:
    """The front socket, the stages and the uplink, as one.

    Args:
        settings: All of them but `cloud`.
        prefilter: What finds and spends relevance.
        load: Reads the settings anew; `None`: a reload changes nothing.
        make_describer: Makes what finds texts.

    Raises:
        SettingsError: The vocabulary cannot be read, or a key is missing.
    """

    def __init__(
        self,
        settings: Settings,
        prefilter: Prefilter,
        load: Load | None = None,
        *,
        make_describer: MakeDescriber = Describer,
    ) -> None:
        self._live = Live(settings)
        self._prefilter = prefilter
        self._make_describer = make_describer
        self._describer = make_describer(settings.semantic, prefilter.bundle)
        self._load = load or (lambda: settings)
        self._counters: Counter[str] = Counter()
        self._memory = Memory()
        self._notifier = Notifier.from_environment()
        self._reloads = ReloadRequest()
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        self._reloads.on_signal()
        endpoint = await self.startup()
        self._notifier.ready(f"takes frames on {endpoint}")
        if ready is not None:
            ready(endpoint)
        whole = await self.main_loop()
        abandoned = await self.shutdown()
        if not whole:
            return EXIT_DEFECT
        return EXIT_ABANDONED if abandoned else EXIT_CLEAN

    async def startup(self) -> str:
        """Opens the way to the cloud, the stages, and last the front; returns its endpoint."""
        settings = self._live.now
        # Queues and events belong to the running loop, so the parts are made here.
        bundle = self._prefilter.bundle.describe()
        self._telemetry = Telemetry(
            version=version_of_daemon(),
            bundle=str(bundle["name"]),
            backend=str(bundle.get("image", {}).get("backend", "unknown")),
        )
        self._activity = Activity()
        self._make_parts(settings)
        self._overview = Overview(
            self._live,
            prefilter=self._prefilter,
            telemetry=self._telemetry,
            health=Health(),
            stages=self._stages,
            uplink=self._uplink,
            front=self._front,
            activity=self._activity,
            counters=self._counters,
        )
        self._overview.open()
        try:
            await self._uplink.open()
            try:
                endpoint = self._front.open(self._overview.status)
            except EdgeError:
                await self._uplink.close(0.0)
                raise
        except EdgeError:
            await self._overview.close()
            raise
        self._workers = self._stages.start()
        self._overview.begin((self._front.task, *self._uplink.tasks, *self._workers))
        self._attendants = self._attend()
        self._warm_up = warm_soon(self._describer)
        link = self._uplink.link_facts()
        log_bundle(self._prefilter.bundle)
        _log.info(
            "event=ready version=%s bind=%s encrypted=%s transport=%s cloud=%s codec=%r kernel=%s "
            "spool=%r threads=%d encoder_threads=%d",
            version_of_daemon(),
            endpoint,
            "no" if settings.front.keys is None else "yes",
            link["kind"],
            link["peer"] or link["others"],
            get_codec(settings.codec).get_config(),
            default_backend(),
            settings.spool.directory or "in memory",
            settings.stages.threads,
            settings.stages.encoder_threads,
        )
        return endpoint

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if a vital part ended by itself."""
        vital = (self._front.task, *self._uplink.tasks, *self._workers, *self._attendants)
        return await self.stop.wait_beside(*vital)

    async def shutdown(self) -> int:
        """Takes nothing new, finishes what is in work, and drains the uplink, each for a while.

        Returns:
            How many frames and envelopes were abandoned.
        """
        settings = self._live.now
        stages_s, uplink_s = settings.stages.drain_s, settings.uplink.drain_s
        self._warm_up.cancel()
        self._watchdog.stopping()
        self._notifier.stopping("finishes what is in work")
        self._notifier.extend_timeout(stages_s + uplink_s + _MARGIN_S)
        self._admission.stopping = self._overview.stopping = True
        await self._memory.idle(stages_s)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._stages.stop()
        self._admission.close()
        close_codecs()
        unfinished = self._memory.abandon(stopping())
        for _ in range(unfinished):
            self._telemetry.dropped("stop")
        await self._overview.close()
        undelivered = await self._uplink.close(uplink_s)
        await self._front.close(_LAST_ANSWERS_S)
        level = logging.WARNING if unfinished or undelivered else logging.INFO
        _log.log(
            level,
            "event=stopped frames_abandoned=%d envelopes_abandoned=%d frames_done=%d",
            unfinished,
            undelivered,
            self._counters["frames_done"],
        )
        for attendant in self._attendants:
            attendant.cancel()
        await asyncio.gather(*self._attendants, return_exceptions=True)
        self._notifier.close()
        return unfinished + undelivered

    def status(self) -> StatusReply:
        """How the daemon is."""
        return self._overview.status()

    def _make_parts(self, settings: Settings) -> None:
        spool = settings.spool
        most_frames = settings.uplink.queue_frames if spool.directory is None else None
        self._uplink = Uplink(
            settings.uplink,
            SpoolThread(spool, max_frames=most_frames),
            make_transport(settings.uplink, secure=uplink_keys(settings)),
            when_full=lambda client: rules_of(client, self._live.now.cameras).when_full,
            dropped=self._telemetry.dropped,
        )
        self._stages = Stages(
            settings,
            self._prefilter,
            self._describer,
            self._memory,
            self._uplink,
            self._counters,
            telemetry=self._telemetry,
            activity=self._activity,
        )
        self._admission = Admission(
            settings,
            self._memory,
            self._stages,
            self._uplink,
            self._counters,
            telemetry=self._telemetry,
        )
        self._front = Front(self._live, self._admission, self._counters)

    def _attend(self) -> list[asyncio.Task[None]]:
        """What looks after the daemon itself."""
        reconfiguring = Reconfiguring(
            self._live.now,
            self._describer,
            self._make_describer,
            self._prefilter,
            self._admission,
            self._stages,
            self._uplink,
            check_settings,
        )
        reloader = Reloader(
            self._live, self._load, reconfiguring.prepare, self._notifier, self._reloads
        )
        attendants = [asyncio.create_task(reloader.run(), name="reloader")]
        period_s = watchdog_period_s()
        self._watchdog = Watchdog(
            self._notifier, self._overview.failing, period_s or 1.0, self._overview.line
        )
        if period_s is not None:
            attendants.append(asyncio.create_task(self._watchdog.run(), name="watchdog"))
        return attendants
