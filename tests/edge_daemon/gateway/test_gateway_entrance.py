"""Of whom a request may be, and for what."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from edge_daemon.errors import ForbiddenError
from edge_daemon.gateway.entrance import check_client, path_below
from edge_daemon.gateway.refusals import NoSuchPathError, UnknownClientError
from edge_daemon.keys.secret import Secret

TOKEN = Secret(b"a-long-token")


def test_without_a_token_every_program_comes_in_and_no_web_page() -> None:
    check_client({}, None)
    check_client(CIMultiDict(authorization="Bearer anything"), None)
    with pytest.raises(ForbiddenError, match=r"web pages.*got 'null'"):
        check_client(CIMultiDict(origin="null"), None)


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer a-long", "a-long-token", "Bearer ä\udce4"])
def test_with_one_its_holders_come_in(shown: str) -> None:
    check_client(CIMultiDict(authorization="Bearer a-long-token"), TOKEN)
    with pytest.raises(UnknownClientError) as caught:
        check_client(CIMultiDict(authorization=shown), TOKEN)
    assert "a-long-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/chat/completions/"),
        ("DELETE", "/v1/models/a"),
        ("OPTIONS", "/v1/chat/completions"),
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v10/models"),
        ("GET", "/metrics"),
        ("GET", "/v1/../admin"),
        ("GET", "/v1/%2e%2e/admin"),
        ("GET", "/v1/a/..%2f..%2fadmin"),
    ],
)
def test_nothing_else_is_served(method: str, path: str) -> None:
    with pytest.raises(NoSuchPathError, match="POST /v1/chat/completions, or GET"):
        path_below(method, URL(path, encoded=True))


def test_paths_keep_their_spelling() -> None:
    assert path_below("POST", URL("/v1/chat/completions?a=b")) == "/chat/completions"
    assert path_below("GET", URL("/v1/models/a%2Fb%20c", encoded=True)) == "/models/a%2Fb%20c"


@given(st.text(st.sampled_from("./%2eEfF\\a"), max_size=20))
def test_no_path_leads_out_of_the_base_url(tail: str) -> None:
    try:
        path = path_below("GET", URL(f"/v1/{tail}", encoded=True))
    except NoSuchPathError:
        return
    # What a server would make of it that decodes first, and then follows the dots.
    followed = posixpath.normpath("/base" + unquote(path).replace("\\", "/"))
    assert followed == "/base" or followed.startswith("/base/")
