"""The gateway's process: start-up, main loop, shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from aiohttp import web

from edge_daemon.codecs import check_encoder, close_codecs, configure_codecs, get_codec
from edge_daemon.errors import BindError
from edge_daemon.gateway.coder import Coder
from edge_daemon.gateway.door import Door
from edge_daemon.gateway.entrance import PREFIX
from edge_daemon.gateway.ledger import Ledger
from edge_daemon.gateway.rewriting import Rewriter
from edge_daemon.gateway.upstream import Upstream
from edge_daemon.lifecycle import EXIT_ABANDONED, EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.pictures import PictureLimits
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import Settings
from edge_daemon.settings.gateway import check_gateway_bind
from edge_daemon.systemd import Notifier, Watchdog, watchdog_period_s

_log = logging.getLogger(__name__)

# It logs what is no HTTP with a traceback, and what strangers sent; defects of ours the door logs.
logging.getLogger("aiohttp.server").disabled = True

_CUT_S: Final = 0.25
"""That a request is given to end by itself when it is cut off."""
_MARGIN_S: Final = 15.0


class Gateway:
    """Listens, and lets requests through its door.

    Args:
        settings: `gateway`, `codec` and `limits` are used.
        prefilter: What filters pictures; `None` for the codec alone.

    Raises:
        SettingsError: A setting cannot be used, or a key is missing.
        EdgeError: The codec cannot be used.
    """

    def __init__(self, settings: Settings, prefilter: Prefilter | None) -> None:
        self._settings = settings.gateway
        check_gateway_bind(self._settings)
        limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        configure_codecs(settings)
        self._codec = get_codec(settings.codec)
        check_encoder(self._codec)
        if prefilter is not None and prefilter.settings.allocation in {"quantiser", "both"}:
            self._codec.check_takes_map()
        self._rewriter = Rewriter(
            Coder(self._codec, prefilter, limits),
            max_body_bytes=self._settings.max_body_bytes,
            max_pictures=self._settings.max_pictures,
        )
        self._upstream = Upstream(self._settings)
        self._notifier = Notifier.from_environment()
        self.stop = StopRequest()

    def run(self, ready: Callable[[str], None] | None = None) -> int:
        """Runs until asked to stop; returns the process's exit code."""
        return asyncio.run(self.serve(ready))

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        url = await self.startup()
        self._notifier.ready(f"takes requests on {url}")
        if ready is not None:
            ready(url)
        whole = await self.stop.wait_beside(*self._vital)
        abandoned = await self.shutdown()
        if not whole:
            return EXIT_DEFECT
        return EXIT_ABANDONED if abandoned else EXIT_CLEAN

    @property
    def under_way(self) -> int:
        """Requests that have no whole answer yet."""
        return self._door.under_way

    @property
    def stopping(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._door.stopping

    async def startup(self) -> str:
        """Opens ledger and socket; returns the URL to give to clients.

        Raises:
            BindError: The address cannot be listened on.
            SettingsError: The token is missing, open to other users, or none.
            StorageError: The ledger cannot be written.
        """
        settings = self._settings
        self._threads = ThreadPoolExecutor(settings.threads, "gateway")
        self._ledger = None if settings.ledger is None else Ledger(Path(settings.ledger))
        config = self._codec.get_config()
        self._door = Door(
            settings, self._rewriter, self._upstream, self._threads, config, self._ledger
        )
        self._upstream.open()
        url = await self._listen()
        period_s = watchdog_period_s()
        self._watchdog = Watchdog(self._notifier, _loop_moves, period_s or 1.0)
        feeding = [] if period_s is None else [self._watchdog.run()]
        self._vital = [asyncio.create_task(task, name="watchdog") for task in feeding]
        _log.info(
            "event=ready bind=%s upstream=%s mode=%s codec=%r threads=%d ledger=%r",
            url,
            self._upstream.name,
            settings.mode,
            config,
            settings.threads,
            settings.ledger or "none",
        )
        return url

    async def shutdown(self) -> int:
        """Takes nothing new, and finishes what is under way, for a while.

        Returns:
            How many requests were abandoned.
        """
        drain_s = self._settings.drain_s
        self._watchdog.stopping()
        self._notifier.stopping("finishes the requests under way")
        self._notifier.extend_timeout(drain_s + _MARGIN_S)
        self._door.stopping = True
        await self._site.stop()
        await self._door.idle(drain_s)
        abandoned = self.under_way
        await self._runner.cleanup()
        await self._upstream.close()
        self._threads.shutdown(wait=not abandoned, cancel_futures=True)
        close_codecs()
        if self._ledger is not None:
            self._ledger.close()
        for task in self._vital:
            task.cancel()
        await asyncio.gather(*self._vital, return_exceptions=True)
        level = logging.WARNING if abandoned else logging.INFO
        _log.log(level, "event=stopped requests_abandoned=%d", abandoned)
        self._notifier.close()
        return abandoned

    async def _listen(self) -> str:
        application = web.Application(client_max_size=self._settings.max_body_bytes)
        application.router.add_route("*", "/{path:.*}", self._door.handle)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            # Who hangs up wants no answer: the upstream need not go on, and may charge less.
            handler_cancellation=True,
            shutdown_timeout=_CUT_S,
        )
        await self._runner.setup()
        host, _, port = self._settings.bind.rpartition(":")
        self._site = web.TCPSite(self._runner, host.strip("[]"), int(port))
        try:
            await self._site.start()
        except (OSError, OverflowError) as mistake:
            await self._runner.cleanup()
            await self._upstream.close()
            raise BindError(
                f"the gateway cannot listen there: {mistake}",
                value=self._settings.bind,
                remedy="change gateway.bind, or stop what listens there already",
            ) from None
        return f"http://{host}:{self._runner.addresses[0][1]}{PREFIX}"


async def _loop_moves() -> list[str]:
    """A loop that asks moves; a thread may be at one picture for as long as its codec takes."""
    return []
