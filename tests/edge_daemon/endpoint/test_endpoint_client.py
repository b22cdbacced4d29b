"""Asking an endpoint that may do anything."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from edge_daemon.endpoint import (
    Endpoint,
    EndpointDownError,
    EndpointError,
    EndpointRefusedError,
    EndpointSlowError,
    MalformedAnswerError,
)
from edge_daemon.errors import SettingsError
from edge_daemon.settings import EndpointSettings
from support.free_port import free_endpoint
from support.recording_proxy import recording_proxy
from support.stand_in_endpoint import (
    Part,
    StandInEndpoint,
    announces,
    answer,
    cut_json,
    drips,
    endless,
    good,
    gzip_bomb,
    hangs_up,
    html,
    raw,
    refuses,
    slow,
    stand_in_endpoint,
)


def endpoint_of(served: StandInEndpoint | str, **settings: Any) -> Endpoint:
    base_url = served if isinstance(served, str) else served.base_url
    return Endpoint(EndpointSettings(base_url=base_url, **settings), draw=lambda: 0.0)


def ask(served: StandInEndpoint | str, deadline_s: float = 20.0, **settings: Any) -> dict[str, Any]:
    return endpoint_of(served, **settings).post_json(
        "/chat/completions", {"model": "m"}, deadline_s=deadline_s
    )


def test_it_posts_json_below_the_base_url_and_gives_the_object_back() -> None:
    with stand_in_endpoint(good({"choices": [1]})) as served:
        assert ask(served) == {"choices": [1]}
    (asked,) = served.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json() == {"model": "m"}
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers


def test_a_query_of_the_base_url_is_kept() -> None:
    with stand_in_endpoint(good({})) as served:
        ask(f"{served.base_url}/?api-version=2")
    assert served.asked[0].path == "/v1/chat/completions?api-version=2"


def test_half_a_surrogate_pair_can_be_posted() -> None:
    with stand_in_endpoint(good({})) as served:
        endpoint_of(served).post_json("/x", {"prompt": "a \ud800 cat"}, deadline_s=20.0)
    assert served.asked[0].json() == {"prompt": "a \ud800 cat"}


def test_it_posts_forms_with_files() -> None:
    with stand_in_endpoint(good({"data": []})) as served:
        got = endpoint_of(served).post_form(
            "/images/edits",
            {"prompt": "a cat", "n": "1"},
            {"image": ("side.png", b"\x89PNG", "image/png")},
            deadline_s=20.0,
        )
    assert got == {"data": []}
    (asked,) = served.asked
    assert asked.headers["content-type"].startswith("multipart/form-data")
    assert b'name="prompt"\r\n\r\na cat' in asked.body
    assert b'name="image"; filename="side.png"\r\nContent-Type: image/png' in asked.body


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (slow, EndpointSlowError),
        (drips, EndpointSlowError),
        (announces(1000), MalformedAnswerError),
        (announces(7), MalformedAnswerError),
        (announces(10**15), MalformedAnswerError),
        (hangs_up, EndpointDownError),
        (html, MalformedAnswerError),
        (endless, MalformedAnswerError),
        (cut_json, MalformedAnswerError),
        (gzip_bomb, MalformedAnswerError),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), EndpointDownError),
        (good([1, 2]), MalformedAnswerError),
        (raw(answer(b"[" * 200_000)), MalformedAnswerError),
        (refuses("400 Bad Request"), EndpointRefusedError),
        (refuses("401 Unauthorized"), EndpointRefusedError),
        (refuses("403 Forbidden"), EndpointRefusedError),
        (refuses("404 Not Found"), EndpointRefusedError),
        (refuses("503 Service Unavailable"), EndpointRefusedError),
        (raw(answer(b"", "302 Found", Location="http://127.0.0.1:1/")), EndpointRefusedError),
    ],
)
def test_whatever_a_server_does_is_one_of_four_errors(
    part: Part, kind: type[EndpointError]
) -> None:
    deadline_s = 0.2 if kind is EndpointSlowError else 20.0
    with stand_in_endpoint(part) as served, pytest.raises(EndpointError) as caught:
        ask(served, deadline_s=deadline_s, max_answer_bytes=300_000, attempts=1)
    assert type(caught.value) is kind
    assert caught.value.remedy
    assert caught.value.__context__ is None


def test_nobody_listening_is_an_error_too() -> None:
    with pytest.raises(EndpointDownError, match="cannot be reached") as caught:
        ask(free_endpoint().replace("tcp:", "http:"))
    assert not caught.value.perhaps_charged


def test_the_deadline_holds_whatever_drips() -> None:
    """No byte is late, and after a minute the answer would be whole."""
    with stand_in_endpoint(drips) as served:
        with pytest.raises(EndpointSlowError, match=r"within 0\.1 s"):
            ask(served, deadline_s=60.0, timeout_s=0.1, attempts=2)
        assert len(served.asked) == 2
        with pytest.raises(EndpointSlowError):
            ask(served, deadline_s=0.1, timeout_s=60.0, attempts=2)
        assert len(served.asked) == 3


def test_a_name_server_that_never_answers_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def stand_in_name_server(*_: Any, **__: Any) -> list[Any]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stand_in_name_server)
    try:
        with pytest.raises(EndpointSlowError):
            ask("http://some.example/v1", deadline_s=0.1)
    finally:
        over.set()


@pytest.mark.parametrize(
    "first",
    [
        slow,
        hangs_up,
        announces(1000),
        refuses("408 Request Timeout"),
        refuses("409 Conflict"),
        refuses("429 Too Many Requests"),
        refuses("500 Internal Server Error"),
        refuses("503 Service Unavailable"),
    ],
)
def test_what_may_pass_is_tried_again(first: Part) -> None:
    with stand_in_endpoint(first, good({"ok": 1})) as served:
        assert ask(served, timeout_s=0.5 if first is slow else 20.0) == {"ok": 1}
    assert len(served.asked) == 2


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden"])
def test_what_will_not_pass_is_not_tried_again(status: str) -> None:
    with stand_in_endpoint(refuses(status), good({})) as served:
        with pytest.raises(EndpointRefusedError, match=status[:3]):
            ask(served)
        assert len(served.asked) == 1


def test_tries_end_at_their_number() -> None:
    with stand_in_endpoint(refuses("500 Internal Server Error")) as served:
        with pytest.raises(EndpointRefusedError):
            ask(served, attempts=4)
        assert len(served.asked) == 4


@pytest.mark.parametrize(
    ("first", "tries"), [(slow, 1), (hangs_up, 1), (refuses("503 Service Unavailable"), 2)]
)
def test_what_may_have_been_charged_for_is_not_repeated_if_told_so(first: Part, tries: int) -> None:
    with stand_in_endpoint(first) as served:
        endpoint = endpoint_of(served, attempts=2, timeout_s=0.5 if first is slow else 20.0)
        with pytest.raises(EndpointError) as caught:
            endpoint.post_json("/x", {}, deadline_s=20.0, repeat=False)
    assert len(served.asked) == tries
    assert caught.value.perhaps_charged == (tries == 1)


def test_a_picture_that_an_answer_names_is_fetched_from_its_own_origin_without_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "sk-0123456789abcdef")
    with stand_in_endpoint(raw(answer(b"picture", kind="image/png"))) as served:
        endpoint = endpoint_of(served, api_key_env="A_KEY")
        host = served.base_url.removesuffix("/v1")
        assert endpoint.get_bytes(f"{host}/made/1.png?sig=2", deadline_s=20.0) == b"picture"
        assert endpoint.get_bytes("/made/2.png", deadline_s=20.0) == b"picture"
    assert [asked.path for asked in served.asked] == ["/made/1.png?sig=2", "/made/2.png"]
    assert all("authorization" not in asked.headers for asked in served.asked)


def test_no_redirect_leads_on() -> None:
    with (
        stand_in_endpoint(good({})) as other,
        stand_in_endpoint(raw(answer(b"", "307 Temporary", Location=other.base_url))) as served,
    ):
        with pytest.raises(EndpointRefusedError, match="redirects are not followed"):
            ask(served)
        with pytest.raises(EndpointRefusedError, match="redirects are not followed"):
            endpoint_of(served).get_bytes("/made/1.png", deadline_s=20.0)
    assert other.asked == []


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        stand_in_endpoint(raw(answer(b"picture"))) as served,
        recording_proxy() as (proxy, seen),
    ):
        monkeypatch.setenv("http_proxy", proxy)
        url = f"{served.base_url}/1.png"
        assert endpoint_of(served).get_bytes(url, deadline_s=20.0) == b"picture"
    assert seen == [url]


def test_no_time_left_is_an_error_and_no_request() -> None:
    with stand_in_endpoint(good({})) as served:
        with pytest.raises(EndpointSlowError, match="no time"):
            ask(served, deadline_s=0.0)
        assert served.asked == []


@pytest.mark.parametrize("url", ["http://a:port/v1", "http://a:99999/v1", "http://[::1/v1"])
def test_a_base_url_that_is_none_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        endpoint_of(url)


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "a..invalid"])
def test_a_name_that_cannot_be_looked_up_is_down(host: str) -> None:
    with pytest.raises(EndpointDownError):
        ask(f"http://{host}/v1", attempts=1)
