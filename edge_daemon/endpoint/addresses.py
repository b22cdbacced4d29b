"""Which URLs that a peer names may be fetched.

A URL in an answer is a stranger's wish. It is fetched only by http or https, and only from the
endpoint's own origin, which the operator chose, or from public addresses: what stands beside this
machine (a router, another service on localhost, a cloud's metadata) is not the peer's to reach.
A name is looked up once and its address is what is connected to, so that it can't mean another
machine a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

import httpx2

from edge_daemon.endpoint.errors import EndpointDownError, MalformedAnswerError

HIGHEST_PORT: Final = 65_535


def url_of(text: str, base: httpx2.URL) -> httpx2.URL:
    """The URL that an answer names, relative to the endpoint's if it is relative.

    Raises:
        MalformedAnswerError: It is none, of another scheme, or holds a user or a password.
    """
    try:
        url = base.join(text)
        sound = url.scheme in {"http", "https"} and not url.userinfo
        sound = sound and bool(url.host) and (url.port or 0) <= HIGHEST_PORT
    except (httpx2.InvalidURL, ValueError):
        sound = False
        url = base
    if not sound:
        raise MalformedAnswerError(
            "the answer names a picture by what is no http or https URL",
            value=text,
            remedy="use an endpoint that answers with b64_json or with such URLs",
            perhaps_charged=True,
        )
    return url


async def address_of(url: httpx2.URL, base: httpx2.URL) -> str | None:
    """The address to connect to for a URL that an answer names.

    Returns:
        An IP address, or `None` for the endpoint's own origin, which is connected to as always.

    Raises:
        MalformedAnswerError: One of its addresses is not public.
        EndpointDownError: It has none.
    """
    if url.origin == base.origin:
        return None
    host = url.raw_host.decode("ascii")
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, url.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise EndpointDownError(
            "the host of a picture's URL has no address",
            value=host,
            remedy="check the name server of this machine",
            transient=True,
            perhaps_charged=True,
        )
    addresses = [str(one[4][0]) for one in found]
    if not all(is_public(address) for address in addresses):
        raise MalformedAnswerError(
            "the answer names a picture on an address that is not public",
            value=host,
            remedy="use an endpoint that answers with b64_json, or keeps pictures on its own host",
            perhaps_charged=True,
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is a public one of a single machine."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast
