"""What an answer names is fetched from public addresses and the endpoint's own origin only."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from edge_daemon.endpoint.addresses import address_of, is_public, url_of
from edge_daemon.endpoint.errors import EndpointDownError, MalformedAnswerError

BASE = httpx2.URL("http://10.0.0.5:8080/v1")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.251", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:1.1.1.1", True),
    ],
)
def test_public_addresses(address: str, *, public: bool) -> None:
    assert is_public(address) == public


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "ftp://a/b",
        "data:image/png;base64,AAAA",
        "gopher://a",
        "http://user:word@1.1.1.1/",
        "http://[::1",
        "javascript:1",
        "http://a:99999/",
        "\x00",
    ],
)
def test_only_http_urls_without_a_user_are_followed(text: str) -> None:
    with pytest.raises(MalformedAnswerError):
        url_of(text, BASE)


def test_relative_urls_are_the_endpoints() -> None:
    assert str(url_of("/made/1.png", BASE)) == "http://10.0.0.5:8080/made/1.png"
    assert str(url_of("https://a.example/1.png", BASE)) == "https://a.example/1.png"


def addressed(url: str) -> str | None:
    return asyncio.run(address_of(httpx2.URL(url), BASE))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:6379/",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://10.0.0.5:22/",
        "https://10.0.0.5:8080/",
        "http://10.0.0.6:8080/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
def test_private_addresses_are_out_of_reach(url: str) -> None:
    with pytest.raises(MalformedAnswerError, match="not public"):
        addressed(url)


def test_the_endpoints_own_origin_may_be_private() -> None:
    assert addressed("http://10.0.0.5:8080/made/1.png") is None


def test_a_name_is_connected_to_by_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {
        "one.example": ["1.1.1.1", "2606:4700:4700::1111"],
        "mixed.example": ["1.1.1.1", "192.168.0.1"],
    }

    def stand_in_name_server(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", stand_in_name_server)
    assert addressed("https://one.example/1.png") == "1.1.1.1"
    with pytest.raises(MalformedAnswerError, match="not public"):
        addressed("https://mixed.example/1.png")
    with pytest.raises(EndpointDownError, match="no address"):
        addressed("https://none.example/1.png")
