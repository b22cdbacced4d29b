"""A key is read with care and shows nowhere, whatever a peer makes of it."""

from __future__ import annotations

import base64
import html
import logging
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from edge_daemon.endpoint import Endpoint, EndpointError
from edge_daemon.endpoint.credential import Hiding, key_of
from edge_daemon.errors import SettingsError
from edge_daemon.keys.secret import Secret
from edge_daemon.settings import EndpointSettings
from support.stand_in_endpoint import answer, good, raw, refuses, stand_in_endpoint

KEY = "sk-proj-Zq7+wY/3_Vh9-K2mB5cD8fG1"
PARTS = ["Zq7", "7+wY", "Vh9", "K2mB5", "fG1", "Zq7%2BwY"]
"""What of the key must not stand in any text."""


def showing(text: str) -> list[str]:
    return [part for part in PARTS if part.lower() in text.lower()]


def key_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> str:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(mode)
    return str(file)


def revealed(secret: Secret | None) -> bytes | None:
    return None if secret is None else secret.reveal()


def test_a_key_comes_from_the_environment_or_a_file_or_not_at_all(tmp_path: Path) -> None:
    assert key_of(EndpointSettings()) is None
    environment = {"A_KEY": f" {KEY}\n"}
    assert revealed(key_of(EndpointSettings(api_key_env="A_KEY"), environment)) == KEY.encode()
    file = key_file(tmp_path, KEY.encode() + b"\r\n")
    assert revealed(key_of(EndpointSettings(api_key_file=file), environment)) == KEY.encode()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "  \n",
        "short",
        "two words of it",
        f"{KEY}\n{KEY}",
        "sk-\x00\x01\x02\x03\x04",
        "schlüssel-ö",
    ],
)
def test_what_is_no_key_is_a_mistake_in_the_settings(tmp_path: Path, content: str) -> None:
    file = key_file(tmp_path, content.encode())
    for settings in (EndpointSettings(api_key_env="A_KEY"), EndpointSettings(api_key_file=file)):
        with pytest.raises(SettingsError, match="holds no key") as caught:
            key_of(settings, {"A_KEY": content})
        assert not content.strip() or content not in str(caught.value)


def test_a_missing_or_open_key_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing")
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        key_of(EndpointSettings(api_key_env="NO_SUCH_KEY"), {})
    with pytest.raises(SettingsError, match="cannot read"):
        key_of(EndpointSettings(api_key_file=missing))
    with pytest.raises(SettingsError, match=r"0640.*chmod 600") as caught:
        key_of(EndpointSettings(api_key_file=key_file(tmp_path, KEY.encode(), 0o640)))
    assert not showing(str(caught.value))
    with pytest.raises(SettingsError, match="named twice"):
        key_of(EndpointSettings(api_key_env="A", api_key_file=missing), {"A": KEY})


ECHOES = {
    "whole": f"Incorrect API key provided: {KEY}. You can find yours in your account.",
    "masked": f"Incorrect API key provided: {KEY[:7]}{'*' * 20}{KEY[-4:]}.",
    "masked, long ends": f"key '{KEY[:12]}...{KEY[-12:]}' is wrong",
    "masked with x": f"key={KEY[:10]}xxxxxxxx",
    "only its end": f"bad key …{KEY[-6:]}",
    "only its beginning": f"bad key {KEY[:14]}••••",
    "encoded": f"/v1/login?key={quote(KEY, safe='')}&x=1",
    "encoded as a form": f"/v1/login?key={quote_plus(KEY)}",
    "encoded twice": quote(quote(KEY, safe=""), safe=""),
    "encoded throughout": "".join(f"%{byte:02x}" for byte in KEY.encode()),
    "with HTML": html.escape(f"<b>{KEY}</b>"),
    "in a header": f"Authorization: Bearer {KEY}",
    "as Python shows bytes": repr(f"Bearer {KEY}".encode()),
    "half": f"the key begins with {KEY[:20]}",
    "amid a word": f"aaaa{KEY}bbbb",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_echo_of_the_key_is_hidden(echo: str) -> None:
    hidden = Hiding(Secret(KEY.encode())).text(echo)
    assert "[key]" in hidden
    assert not showing(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A red car... and a *blue* house, 50% of the sky, #1",
        "model 'gpt-x' does not exist",
        "five stars ***** above xxxx",
        base64.b64encode(bytes(range(256)) * 40).decode(),
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Hiding(Secret(KEY.encode())).text(text) == text
    assert Hiding(None).text(f"{text} {KEY}") == f"{text} {KEY}"


def test_it_is_hidden_in_all_strings_of_an_answer() -> None:
    value: dict[str, Any] = {KEY: [{"a": f"say {KEY}"}, 1, None, True, 0.5]}
    hidden = Hiding(Secret(KEY.encode())).json(value)
    assert hidden == {"[key]": [{"a": "say [key]"}, 1, None, True, 0.5]}


def everything_of(error: BaseException) -> str:
    """All that a log, a debugger or a test runner could show of an error."""
    texts = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    if error.__context__ is not None:
        texts.append(everything_of(error.__context__))
    return "\n".join(texts)


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_no_error_and_no_log_shows_the_key(
    echo: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the libraries' own records are wanted."""
    for name in ("", "httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection"):
        caplog.set_level(logging.DEBUG, logger=name or None)
    monkeypatch.setenv("A_KEY", KEY)
    in_header = echo.replace("…", "...").replace("•", "*")
    script = [
        refuses("401 Unauthorized", echo, X_Echo=in_header, WWW_Authenticate=in_header),
        raw(answer(b"{}", f"403 {in_header}")),
        raw(answer(echo.encode())),
        raw(answer(b"{}", kind=in_header, Content_Encoding=in_header)),
        raw(f"{in_header}\r\n\r\n".encode()),
        raw(f"HTTP/1.1 200 OK\r\n{in_header}\r\n\r\n".encode()),
    ]
    with stand_in_endpoint(*script, good({"said": echo})) as served:
        settings = EndpointSettings(base_url=served.base_url, api_key_env="A_KEY", attempts=1)
        endpoint = Endpoint(settings)
        for _ in script:
            with pytest.raises(EndpointError) as caught:
                endpoint.post_json("/chat/completions", {}, deadline_s=20.0)
            assert not showing(everything_of(caught.value))
        assert not showing(str(endpoint.post_json("/chat/completions", {}, deadline_s=20.0)))
        with pytest.raises(EndpointError) as caught:
            endpoint.get_bytes(f"http://127.0.0.1:1/{echo}", deadline_s=20.0)
        assert not showing(everything_of(caught.value))
    assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in served.asked)
    assert len(served.asked) == len(script) + 1
    records = [record for record in caplog.records if record.name == "edge_daemon.endpoint.client"]
    assert len(records) >= 4
    assert not showing(caplog.text)
    assert not showing(repr([vars(record) for record in caplog.records]))
    assert not showing(repr(endpoint) + repr(settings) + repr(vars(endpoint)))


def test_an_answer_that_names_a_url_with_the_key_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    with stand_in_endpoint(good({})) as served:
        endpoint = Endpoint(EndpointSettings(base_url=served.base_url, api_key_env="A_KEY"))
        with pytest.raises(EndpointError, match="holds the key"):
            endpoint.get_bytes(f"/made.png?key={quote(KEY, safe='')}", deadline_s=20.0)
    assert served.asked == []
