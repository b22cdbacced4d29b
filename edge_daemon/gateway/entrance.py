"""Which requests come in: of whom, and for what."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs
from yarl import URL

from edge_daemon.errors import ForbiddenError, Verbatim
from edge_daemon.gateway.refusals import NoSuchPathError, UnknownClientError
from edge_daemon.keys.secret import Secret

PREFIX: Final = "/v1"
"""Of what is served; it stands for the upstream's base URL."""
_CHAT: Final = "/chat/completions"
_SHOWN: Final = 100
"""Characters of a path that an error shows."""


def check_client(headers: Mapping[str, str], token: Secret | None) -> None:
    """Turn away who may not come in.

    Args:
        headers: Of the request.
        token: What clients have to show as their key; `None` for nothing.

    Raises:
        ForbiddenError: It is a web page.
        UnknownClientError: It shows another key.
    """
    if hdrs.ORIGIN in headers:
        # Any page in a browser on this machine reaches the loopback, and would use our key.
        raise ForbiddenError(
            "requests of web pages are not taken",
            value=headers[hdrs.ORIGIN],
            remedy="send it from a program, without the header Origin",
        )
    if token is None:
        return
    shown = headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(shown, b"Bearer " + token.reveal()):
        raise UnknownClientError(
            "the key is not the one that opens this gateway",
            remedy="send Authorization: Bearer and the operator's token",
        )


def path_below(method: str, url: URL) -> str:
    """The path below the upstream's base URL, percent-encoded, with a leading slash.

    Args:
        method: Of the request.
        url: Of the request, as it came.

    Raises:
        NoSuchPathError: It is neither a chat request nor a GET of what the upstream has.
    """
    path = url.raw_path.removeprefix(PREFIX)
    inside = path != url.raw_path and path.startswith("/")
    # However they are written: a path must not lead out of the base URL.
    inside = inside and not {".", ".."}.intersection(url.path.replace("\\", "/").split("/"))
    chat = method == hdrs.METH_POST and path == _CHAT
    if not inside or not (chat or method == hdrs.METH_GET):
        raise NoSuchPathError(
            "nothing is served there",
            value=Verbatim(f"{method} {url.path[:_SHOWN]!r}"),
            remedy=f"POST {PREFIX}{_CHAT}, or GET what the upstream has below {PREFIX}",
        )
    return path
