"""One request and its answer, bounded in seconds and bytes."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import httpx2

from edge_daemon.endpoint.errors import (
    EndpointDownError,
    EndpointError,
    EndpointSlowError,
    MalformedAnswerError,
)

T = TypeVar("T")

_LOGGERS = (
    "httpx2",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "httpcore2.proxy",
    "httpcore2.socks",
)
# They log what peers send, as it is: status lines, headers and URLs that may echo a key.
for _name in _LOGGERS:
    logging.getLogger(_name).disabled = True


@cache
def _authorities() -> ssl.SSLContext:
    """Those that this machine trusts; reading them takes longer than a request nearby."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True)
class Reply:
    """A whole answer, whatever its status.

    Attributes:
        status: Of HTTP.
        headers: As they came; they may hold anything.
        body: As it came.
    """

    status: int
    headers: httpx2.Headers
    body: bytes


def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own, and cancel it when its time is over.

    Unlike `asyncio.run`, this does not wait for a name server that never answers.

    Raises:
        asyncio.TimeoutError: It was cancelled.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(work, seconds))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class Exchange:
    """Sends one request. Good for one use.

    Args:
        prepare: Makes the request; it may look up names, and raise an `EndpointError`.
        whom: The peer, for errors.
        most_bytes: Longest body that is read.
        hide: Takes secrets out of a text.
    """

    def __init__(
        self,
        prepare: Callable[[], Coroutine[Any, Any, httpx2.Request]],
        whom: str,
        most_bytes: int,
        hide: Callable[[str], str],
    ) -> None:
        self._prepare = prepare
        self._whom = whom
        self._most_bytes = most_bytes
        self._hide = hide
        self._authorities = _authorities()
        self._answered = False

    def reply(self, seconds: float) -> Reply:
        """The answer.

        Args:
            seconds: That everything may take together, from looking up the name to the last byte.

        Raises:
            EndpointError: There is none that is whole, in time and short enough.
        """
        # Raised where no other exception is being handled: the library's hold the request, and
        # with it the key.
        error: EndpointError
        try:
            return within(seconds, self._send())
        except asyncio.TimeoutError:
            error = EndpointSlowError(
                f"{self._whom} gave no whole answer within {seconds:.3g} s",
                remedy="allow it more time, or use a faster model or machine",
                transient=True,
                perhaps_charged=True,
            )
        except httpx2.TransportError as mistake:
            error = self._broken(mistake)
        raise error

    async def _send(self) -> Reply:
        request = await self._prepare()
        # Time is kept by the caller, over all phases together.
        client = httpx2.AsyncClient(verify=self._authorities, timeout=None)
        try:
            response = await client.send(request, stream=True)
            self._answered = True
            return Reply(response.status_code, response.headers, await self._body(response))
        finally:
            await client.aclose()

    async def _body(self, response: httpx2.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._malformed("compressed its answer, though it was asked not to")
        announced = response.headers.get("content-length", "0")
        body = bytearray()
        if announced.isdecimal() and int(announced[:20]) > self._most_bytes:
            raise self._malformed(self._too_long())
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._most_bytes:
                raise self._malformed(self._too_long())
        return bytes(body)

    def _too_long(self) -> str:
        return f"has a longer answer than max_answer_bytes allows ({self._most_bytes})"

    def _malformed(self, problem: str) -> MalformedAnswerError:
        return MalformedAnswerError(
            f"{self._whom} {problem}",
            remedy="check that base_url is that of an OpenAI-compatible API",
            perhaps_charged=True,
        )

    def _broken(self, mistake: httpx2.TransportError) -> EndpointError:
        why = self._hide(str(mistake)) or type(mistake).__name__
        if self._answered:
            return MalformedAnswerError(
                f"{self._whom} broke its answer off, or lied about its length",
                value=why,
                remedy="look at the server's log, and at proxies on the way",
                transient=True,
                perhaps_charged=True,
            )
        connected = not isinstance(
            mistake, httpx2.ConnectError | httpx2.ProxyError | httpx2.UnsupportedProtocol
        )
        return EndpointDownError(
            f"{self._whom} cannot be reached, or hung up",
            value=why,
            remedy="start the server, or correct base_url",
            transient=True,
            perhaps_charged=connected,
        )
