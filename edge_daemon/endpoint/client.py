"""A client for endpoints that speak as OpenAI's does."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, cast

import httpx2

from edge_daemon.endpoint.addresses import HIGHEST_PORT, address_of, url_of
from edge_daemon.endpoint.credential import Hiding, key_of
from edge_daemon.endpoint.errors import MalformedAnswerError
from edge_daemon.endpoint.exchange import Exchange, Reply
from edge_daemon.endpoint.refusals import refusal
from edge_daemon.endpoint.retries import retried
from edge_daemon.errors import SettingsError
from edge_daemon.settings import EndpointSettings

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Accept": "*/*",
    # A few bytes of a compressed answer may unpack to gigabytes.
    "Accept-Encoding": "identity",
    "User-Agent": "edge-daemon",
}

File = tuple[str, bytes, str]
"""Of a form: name, content, media type."""


class Endpoint:
    """Asks an endpoint and waits for its answer. Thread-safe.

    Connection errors, time-outs and the statuses 408, 409, 429 and 5xx are tried again, after
    pauses, as often as the settings say and the deadline allows. Redirects are not followed.
    Proxies that the environment names (`HTTPS_PROXY` and so on) are used. The key goes to the
    endpoint alone, and is taken out of all that comes back. Not for the thread of an event loop.

    Args:
        settings: Where it is, what opens it, and limits.
        draw: A number from 0 to 1, evenly distributed, for the pauses.

    Raises:
        SettingsError: The key is missing, open to other users or none, or the URL is none.
    """

    def __init__(
        self, settings: EndpointSettings, *, draw: Callable[[], float] = random.random
    ) -> None:
        self._settings = settings
        self._draw = draw
        self._key = key_of(settings)
        self._hiding = Hiding(self._key)
        self._base = _url(settings.base_url)
        self._whom = f"the endpoint {self._base.netloc.decode('ascii')}"

    def post_json(
        self, path: str, body: Mapping[str, Any], *, deadline_s: float, repeat: bool = True
    ) -> dict[str, Any]:
        """Post JSON.

        Args:
            path: Below the base URL, with a leading slash.
            body: What is posted.
            deadline_s: Seconds that all tries may take together.
            repeat: Whether a try that may have been charged for is repeated: one that got no
                answer may have been served all the same.

        Returns:
            The answer's JSON object, without the key in any of its strings.

        Raises:
            EndpointError: There is none.
        """
        content = json.dumps(body).encode("ascii")
        headers = {**self._authorised(), "Content-Type": "application/json"}
        return self._object(
            lambda: httpx2.Request("POST", self._url(path), headers=headers, content=content),
            deadline_s,
            repeat,
        )

    def post_form(
        self,
        path: str,
        fields: Mapping[str, str],
        files: Mapping[str, File],
        *,
        deadline_s: float,
        repeat: bool = True,
    ) -> dict[str, Any]:
        """Post a form with files; otherwise as `post_json`."""
        return self._object(
            lambda: httpx2.Request(
                "POST",
                self._url(path),
                headers=self._authorised(),
                data=dict(fields),
                files=dict(files),
            ),
            deadline_s,
            repeat,
        )

    def get_bytes(self, url: str, *, deadline_s: float) -> bytes:
        """What a URL that the endpoint named holds; fetched without the key.

        Args:
            url: Of http or https, on the endpoint's own origin or on a public address.
            deadline_s: Seconds that all tries may take together.

        Raises:
            EndpointError: It is another kind of URL, or there is no answer.
        """
        if self._hiding.text(url) != url:
            raise MalformedAnswerError(
                "the answer names a URL that holds the key",
                remedy="replace the key, and do not use this endpoint",
                perhaps_charged=True,
            )
        target = url_of(url, self._base)

        async def prepare() -> httpx2.Request:
            address = await address_of(target, self._base)
            headers = {**_HEADERS, "Host": target.netloc.decode("ascii")}
            if address is None:
                return httpx2.Request("GET", target, headers=headers)
            return httpx2.Request(
                "GET",
                target.copy_with(host=address),
                headers=headers,
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            )

        whom = f"the host {target.netloc.decode('ascii')}, which the endpoint named,"
        return self._reply(prepare, whom, deadline_s, repeat=True).body

    def _object(
        self, request: Callable[[], httpx2.Request], deadline_s: float, repeat: bool
    ) -> dict[str, Any]:
        async def prepare() -> httpx2.Request:
            return request()

        body = self._reply(prepare, self._whom, deadline_s, repeat).body
        try:
            answer: Any = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise MalformedAnswerError(
                f"{self._whom} answered with what is no JSON object",
                value=self._hiding.text(body[:2000].decode("utf-8", "replace")),
                remedy="check that base_url is that of an OpenAI-compatible API, with its version",
                perhaps_charged=True,
            )
        return self._hiding.json(cast("dict[str, Any]", answer))

    def _reply(
        self,
        prepare: Callable[[], Coroutine[Any, Any, httpx2.Request]],
        whom: str,
        deadline_s: float,
        repeat: bool,
    ) -> Reply:
        """An answer that is no refusal."""

        def attempt(seconds: float) -> Reply:
            begun = time.monotonic()
            reply = Exchange(
                prepare, whom, self._settings.max_answer_bytes, self._hiding.text
            ).reply(seconds)
            _log.debug(
                "event=endpoint_answered status=%d bytes=%d seconds=%.3f",
                reply.status,
                len(reply.body),
                time.monotonic() - begun,
            )
            if not 200 <= reply.status < 300:
                raise refusal(reply, whom, self._hiding.text)
            return reply

        return retried(
            attempt,
            attempts=self._settings.attempts,
            deadline_s=deadline_s,
            timeout_s=self._settings.timeout_s,
            repeat=repeat,
            draw=self._draw,
        )

    def _url(self, path: str) -> httpx2.URL:
        """Below the base URL, whose query (as in `?api-version=1`) is kept."""
        return self._base.copy_with(path=self._base.path.rstrip("/") + path)

    def _authorised(self) -> dict[str, str]:
        if self._key is None:
            return dict(_HEADERS)
        return {**_HEADERS, "Authorization": f"Bearer {self._key.reveal().decode('ascii')}"}


def _url(text: str) -> httpx2.URL:
    """The base URL.

    Raises:
        SettingsError: It is none.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = None
    if url is None or not url.host or (url.port or 0) > HIGHEST_PORT:
        raise SettingsError(
            "base_url is no URL", value=text, remedy="write http://HOST:PORT/v1, or https"
        )
    return url
