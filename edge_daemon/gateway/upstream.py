"""The one endpoint behind the gateway: requests out, answers in, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from edge_daemon.endpoint import EndpointDownError, EndpointRefusedError, EndpointSlowError
from edge_daemon.endpoint.credential import Hiding, key_of
from edge_daemon.errors import SettingsError
from edge_daemon.settings import GatewaySettings

_CONNECT_S: Final = 15.0
_IDLE_S: Final = 4.0
"""For which a connection is kept; servers give up on idle ones after 5 or more, and a request that
meets the end of one is lost."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_ONE_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about a connection, RFC 9110, section 7.6.1."""
_OF_THE_BODY: Final = frozenset({"host", "content-length", "content-encoding", "expect"})
"""Headers of a request that are true of what came, and not of what goes on."""


class Answer:
    """What the upstream says, as far as it is there.

    Args:
        response: Whose body is not read yet.
        worded: Words what may happen while it is.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        worded: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._response = response
        self._worded = worded
        self.status = response.status
        self.headers = kept_headers(response.headers)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, as it comes.

        Raises:
            EndpointError: It breaks off.
        """
        while True:
            with self._worded():
                piece = await self._response.content.readany()
            if not piece:
                return
            yield piece


class Upstream:
    """Where requests go.

    Redirects are not followed, and proxies that the environment names are used.

    Args:
        settings: Where it is, and what opens it.

    Raises:
        SettingsError: The key is missing, open to other users or none, or the URL is none.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._key = key_of(settings)
        self._hiding = Hiding(self._key)
        self._pass_keys = self._key is None and settings.token_file is None
        self._timeout_s = settings.timeout_s
        try:
            self._base = URL(settings.base_url)
            self.name = self._base.authority
        except ValueError:
            raise SettingsError(
                "base_url is no URL",
                value=settings.base_url,
                remedy="write http://HOST:PORT/v1, or https",
            ) from None

    def open(self) -> None:
        """Gets ready; needs a running event loop."""
        self._session = aiohttp.ClientSession(
            # How many requests there are is limited where they come in.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=self._timeout_s),
            auto_decompress=False,
            trust_env=True,
        )

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncGenerator[Answer]:
        """Ask; the answer's status and headers are there, its body is to be read.

        Args:
            method: Of HTTP.
            path: Below the base URL, with a leading slash, percent-encoded.
            query: Percent-encoded; of the base URL if empty.
            headers: Of the client's request.
            body: What is sent; `None` for nothing.

        Raises:
            EndpointError: There is no answer, or it is a redirect.
        """
        url = URL.build(
            scheme=self._base.scheme,
            authority=self._base.raw_authority,
            path=self._base.raw_path.rstrip("/") + path,
            query_string=query or self._base.raw_query_string,
            encoded=True,
        )
        with self._worded():
            response = await self._session.request(
                method, url, headers=self._sent(headers), data=body, allow_redirects=False
            )
        try:
            if response.status in _REDIRECTS:
                raise EndpointRefusedError(
                    f"the upstream {self.name} answers with a redirect, which would lead clients "
                    "past the gateway",
                    value=response.status,
                    remedy="have the operator set gateway.base_url to the address that it names",
                )
            yield Answer(response, self._worded)
        finally:
            response.close()

    def _sent(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        kept = kept_headers(headers, _OF_THE_BODY)
        if not self._pass_keys:
            kept.popall("Authorization", None)
        if self._key is not None:
            kept["Authorization"] = f"Bearer {self._key.reveal().decode('ascii')}"
        kept.setdefault("Content-Type", "application/json")
        kept.setdefault("Accept-Encoding", "identity")
        return kept

    @contextmanager
    def _worded(self) -> Generator[None]:
        """Words what may happen on the way to the upstream."""
        # Raised without their causes, which hold the request, and with it the key.
        try:
            yield
        except (aiohttp.SocketTimeoutError, aiohttp.ConnectionTimeoutError) as mistake:
            connected = isinstance(mistake, aiohttp.SocketTimeoutError)
            waited_s = self._timeout_s if connected else _CONNECT_S
            raise EndpointSlowError(
                f"the upstream {self.name} was silent for {waited_s:.3g} s",
                remedy="try again, or have the operator raise gateway.timeout_s",
                transient=True,
                perhaps_charged=connected,
            ) from None
        except aiohttp.ClientError as mistake:
            raise EndpointDownError(
                f"the upstream {self.name} cannot be reached, or broke its answer off",
                value=self._hiding.text(str(mistake) or type(mistake).__name__),
                remedy="have the operator start it, or correct gateway.base_url",
                transient=True,
            ) from None


def kept_headers(
    headers: Mapping[str, str], without: frozenset[str] = frozenset()
) -> CIMultiDict[str]:
    """Headers that are meant for the other end.

    Args:
        headers: As they came; a name may be there several times.
        without: More to leave out, in small letters.
    """
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    dropped = _ONE_HOP | named | without
    pairs = headers.items()
    return CIMultiDict((name, value) for name, value in pairs if name.lower() not in dropped)
