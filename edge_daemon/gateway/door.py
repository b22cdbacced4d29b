"""What is done with each HTTP request: let in, rewritten, passed on, answered, accounted for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web

from edge_daemon.endpoint.credential import key_in_file
from edge_daemon.errors import (
    BusyError,
    DeadlineError,
    EdgeError,
    InternalError,
    MessageError,
    PayloadTooLargeError,
    Verbatim,
)
from edge_daemon.gateway.account import Account
from edge_daemon.gateway.entrance import check_client, path_below
from edge_daemon.gateway.ledger import Ledger
from edge_daemon.gateway.refusals import (
    PictureError,
    StoppingError,
    body_of,
    headers_of,
    status_of,
)
from edge_daemon.gateway.rewriting import Rewriter
from edge_daemon.gateway.upstream import Answer, Upstream
from edge_daemon.settings import GatewaySettings

_log = logging.getLogger(__name__)

_RETRY_S: Final = 1.0

T = TypeVar("T")


class Door:
    """Takes HTTP requests, so many at a time. Only for the thread of its event loop.

    Args:
        settings: Limits, and who may come in.
        rewriter: What filters and encodes the pictures of a request.
        upstream: Where requests go.
        threads: Where rewriting is done.
        codec: Its configuration, for the ledger.
        ledger: Gets a line for each picture; `None` for no ledger.

    Raises:
        SettingsError: The token is missing, open to other users, or none.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        rewriter: Rewriter,
        upstream: Upstream,
        threads: Executor,
        codec: Mapping[str, Any],
        ledger: Ledger | None,
    ) -> None:
        self._settings = settings
        self._rewriter = rewriter
        self._upstream = upstream
        self._threads = threads
        self._codec = codec
        self._ledger = ledger
        name = settings.token_file
        self._token = None if name is None else key_in_file("token_file", name)
        self._idle = asyncio.Event()
        self._idle.set()
        self.under_way = 0
        self.stopping = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one request, whatever it is."""
        account = Account()
        self.under_way += 1
        self._idle.clear()
        try:
            return await self._answer(request, account)
        except asyncio.CancelledError:
            account.problem = "abandoned" if self.stopping else "client_gone"
            raise
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._idle.set()
            account.log()
            if self._ledger is not None and account.pictures:
                self._ledger.append([*account.lines(self._settings.mode, self._codec)])

    async def idle(self, patience_s: float) -> bool:
        """Waits until no request is under way; whether that came about in time."""
        try:
            await asyncio.wait_for(self._idle.wait(), patience_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def _answer(self, request: web.Request, account: Account) -> web.StreamResponse:
        try:
            check_client(request.headers, self._token)
            path = path_below(request.method, request.rel_url)
            self._check_room()
            body = None
            if request.method == hdrs.METH_POST:
                body = await self._rewritten(await self._body(request), account)
            asked = (request.method, path, request.rel_url.raw_query_string, request.headers, body)
            async with self._upstream.answer(*asked) as answer:
                return await self._pass_on(request, answer, account)
        except PictureError as mistake:
            return self._refuse(mistake.error, account, mistake.place)
        except EdgeError as mistake:
            return self._refuse(mistake, account)
        except Exception as mistake:
            _log.exception("event=defect id=%s", account.identity)
            error = InternalError(
                "the gateway failed on this request",
                value=Verbatim(type(mistake).__name__),
                remedy="report it with the gateway's log; other requests are not affected",
            )
            return self._refuse(error, account)

    def _check_room(self) -> None:
        if self.stopping:
            raise StoppingError(
                "the gateway is about to stop",
                remedy="send the request again when it is back",
                retry_after_s=_RETRY_S,
            )
        if self.under_way > self._settings.queue_requests:
            raise BusyError(
                "too many requests under way",
                value=self.under_way - 1,
                remedy="send it again later",
                retry_after_s=_RETRY_S,
            )

    async def _body(self, request: web.Request) -> bytes:
        packed = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        if packed.lower() != "identity":
            raise MessageError(
                "compressed requests are not read",
                value=packed,
                remedy="send it without Content-Encoding",
            )
        most = self._settings.max_body_bytes
        too_long = PayloadTooLargeError(
            f"a request may have {most} bytes",
            value=None if request.content_length is None else f"{request.content_length} bytes",
            remedy="send fewer or smaller pictures, or have the operator raise "
            "gateway.max_body_bytes",
        )
        if (request.content_length or 0) > most:
            raise too_long
        try:
            return await self._in_time(request.read(), "the request did not come")
        except web.HTTPRequestEntityTooLarge:
            raise too_long from None
        except (ConnectionError, web.RequestPayloadError):
            raise MessageError("the request broke off", remedy="send it again, whole") from None

    async def _rewritten(self, body: bytes, account: Account) -> bytes:
        begun = time.monotonic()
        loop = asyncio.get_running_loop()
        rewritten = await loop.run_in_executor(self._threads, self._rewriter.rewrite, body)
        account.coding_ms = 1000 * (time.monotonic() - begun)
        account.pictures, account.untouched = rewritten.pictures, rewritten.untouched
        return rewritten.body

    async def _pass_on(
        self, request: web.Request, answer: Answer, account: Account
    ) -> web.StreamResponse:
        account.status = answer.status
        answer.headers.update(account.headers())
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        try:
            await response.prepare(request)
            async for piece in answer.pieces():
                await self._in_time(response.write(piece), "the answer was not read")
        except (EdgeError, OSError) as mistake:
            # The status is out: what is left to tell is that the answer is not whole.
            account.failed(mistake)
            if request.transport is not None:
                request.transport.close()
        else:
            await response.write_eof()
        return response

    async def _in_time(self, work: Awaitable[T], problem: str) -> T:
        """Waits for a client, but not for ever."""
        allowed_s = self._settings.timeout_s
        try:
            return await asyncio.wait_for(work, allowed_s)
        except asyncio.TimeoutError:
            raise DeadlineError(
                f"{problem} in time",
                value=Verbatim(f"{allowed_s:.3g} s allowed"),
                remedy="use a faster link, or have the operator raise gateway.timeout_s",
            ) from None

    def _refuse(self, error: EdgeError, account: Account, place: str | None = None) -> web.Response:
        account.status = status_of(error)
        account.failed(error)
        headers = account.headers() | headers_of(error)
        body = body_of(error, place)
        return web.Response(
            status=account.status, body=body, headers=headers, content_type="application/json"
        )
