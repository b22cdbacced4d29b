"""A cloud made of a bare ROUTER, whose answers are the test's to give."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import zmq
import zmq.asyncio

from edge_daemon.wire import Key


class ScriptedCloud:
    """Answers pings by itself, and envelopes too if it is told so.

    Args:
        endpoint: Where it binds.
        credit: Of its pongs and acks; none: it says nothing about that.
        acknowledges: Whether envelopes are acknowledged as they come.
        secret: Its CURVE key; none: plain text.

    Attributes:
        held: Envelopes that have no answer: route and key.
        most_held: Most of them at once.
        received: Keys of all envelopes.
        envelopes: Their bytes.
        insisted: Keys of those that came without anything to be had instead.
        pings: Pings so far.
        pong: What to answer pings with instead; empty: nothing.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        credit: int | None = None,
        acknowledges: bool = False,
        secret: bytes | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.credit = credit
        self.acknowledges = acknowledges
        self._secret = secret
        self.pong: bytes | None = None
        self.held: list[tuple[bytes, Key]] = []
        self.received: list[Key] = []
        self.envelopes: list[bytes] = []
        self.insisted: list[Key] = []
        self.most_held = self.pings = 0
        self._news = asyncio.Event()

    async def __aenter__(self) -> ScriptedCloud:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        if self._secret is not None:
            self._socket.set(zmq.CURVE_SERVER, 1)
            self._socket.set(zmq.CURVE_SECRETKEY, self._secret)
        self._socket.bind(self.endpoint)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._context.destroy(linger=0)

    async def until_held(self, count: int, patience_s: float = 30.0) -> None:
        """Waits until so many envelopes have no answer."""

        async def so() -> None:
            while len(self.held) < count:
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(so(), patience_s)

    async def until_pinged(self, times: int, patience_s: float = 30.0) -> None:
        """Waits for so many more pings."""
        wanted = self.pings + times

        async def so() -> None:
            while self.pings < wanted:
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(so(), patience_s)

    async def say(self, route: bytes, header: bytes) -> None:
        """Sends anything."""
        await self._socket.send_multipart([route, header])

    async def answer(self, kind: str, **fields: Any) -> Key:
        """Answers the envelope that waits longest."""
        route, key = self.held.pop(0)
        await self._reply(route, kind, client=key[0], sequence=key[1], **fields)
        return key

    async def acknowledge(self) -> Key:
        """Acknowledges the envelope that waits longest."""
        return await self.answer("ack", duplicate=False)

    async def refuse(self, code: str, retry_after_s: float | None = None) -> Key:
        """Refuses the envelope that waits longest."""
        return await self.answer(
            "error",
            code=code,
            problem="so it is",
            value=None,
            remedy="do otherwise",
            retry_after_s=retry_after_s,
        )

    async def _serve(self) -> None:
        while True:
            route, header, *payload = await self._socket.recv_multipart()
            fields = json.loads(header)
            if fields["kind"] == "envelope":
                key = (fields["client"], fields["sequence"])
                self.received.append(key)
                self.envelopes += payload
                if fields.get("insist"):
                    self.insisted.append(key)
                self.held.append((route, key))
                self.most_held = max(self.most_held, len(self.held))
                if self.acknowledges:
                    await self.acknowledge()
            else:
                self.pings += 1
                if self.pong is None:
                    await self._reply(route, "pong")
                elif self.pong:
                    await self.say(route, self.pong)
            self._news.set()

    async def _reply(self, route: bytes, kind: str, **fields: Any) -> None:
        header = {"version": 1, "kind": kind} | fields
        if self.credit is not None and kind in ("ack", "pong"):
            header["credit"] = self.credit
        await self.say(route, json.dumps(header).encode())
