"""A gateway in this process, on real sockets, before a stand-in upstream; and chat requests."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
from numpy.typing import NDArray

from edge_daemon.config import parse_settings
from edge_daemon.gateway.process import Gateway
from edge_daemon.pictures import open_picture, to_png
from edge_daemon.prefilter import Prefilter
from support.stand_in_endpoint import StandInEndpoint

CHAT = "/chat/completions"
KEY = {"Authorization": "Bearer sk-of-the-client"}


class Rig:
    """A client of a running gateway.

    Attributes:
        gateway: It.
        url: As given to clients.
        session: For requests of other kinds.
    """

    def __init__(self, gateway: Gateway, url: str, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.url = url
        self.session = session

    def post(self, body: object, **headers: str) -> Any:
        """A chat request: bytes as they are, anything else as JSON; to be awaited or entered."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": "application/json", **KEY, **headers}
        return self.session.post(self.url + CHAT, data=data, headers=fields)

    async def refused(self, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and error object of a request that is refused."""
        async with self.post(body, **headers) as answer:
            return answer.status, json.loads(await answer.read())["error"]


@asynccontextmanager
async def gateway_before(
    upstream: StandInEndpoint | str, prefilter: Prefilter | None = None, **tables: Any
) -> AsyncGenerator[Rig]:
    """A gateway until the block ends; `tables` are settings, `gateway` among them."""
    base_url = upstream if isinstance(upstream, str) else upstream.base_url
    own = {"base_url": base_url, "bind": "127.0.0.1:0", "timeout_s": 20.0, "drain_s": 5.0}
    tables["gateway"] = own | tables.get("gateway", {})
    gateway = Gateway(parse_settings(tables, source="test"), prefilter)
    url = await gateway.startup()
    async with aiohttp.ClientSession() as session:
        try:
            yield Rig(gateway, url, session)
        finally:
            if not gateway.stopping:
                await gateway.shutdown()


def data_url(file: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(file).decode()}"


def picture_part(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def chat(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request with one message of the user's."""
    return {"model": "m", "messages": [{"role": "user", "content": [*content]}], **more}


def asking(pixels: NDArray[np.uint8], prompt: str, **more: Any) -> dict[str, Any]:
    """A picture and a question about it."""
    return chat(picture_part(data_url(to_png(pixels)), detail="high"), text_part(prompt), **more)


def seen(request: dict[str, Any], message: int = 0, part: int = 0) -> tuple[str, bytes]:
    """Media type and file of a picture in a request."""
    url: str = request["messages"][message]["content"][part]["image_url"]["url"]
    head, _, encoded = url.partition(";base64,")
    return head.removeprefix("data:"), base64.b64decode(encoded, validate=True)


def pixels_of(file: bytes) -> NDArray[np.uint8]:
    return open_picture(file).pixels
