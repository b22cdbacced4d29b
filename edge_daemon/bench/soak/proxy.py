"""A TCP proxy that fails as networks do, at the word of a test or a soak.

It runs in a thread of its own, so it serves asynchronous tests, blocking ones, and processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Literal

_CHUNK_BYTES = 16_384

State = Literal["open", "cut", "mute", "held"]


class FlakyProxy:
    """Forwards TCP to one target until told otherwise.

    - `cut`: every connection is reset, and new ones are refused.
    - `mute`: connections stay open, but nothing comes through any more in either direction, and
      never will on those that were open: a router that forgot them. New ones are taken, and mute
      too while this lasts.
    - `hold`: bytes wait, and come through after `heal`: a radio shadow.
    - `slow`: so many bytes a second per connection and direction.
    - `heal`: new connections work again, and those that were held.

    Args:
        target: `tcp://ADDRESS:PORT` of where to forward to; nothing needs to listen there yet.

    Attributes:
        endpoint: Where it listens, as `tcp://127.0.0.1:PORT`; the same for its whole life.
        accepted: Connections taken so far.
        passed_bytes: Bytes forwarded so far, both directions together.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._state: State = "open"
        self._rate: float | None = None
        self.accepted = self.passed_bytes = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._port = 0

    def __enter__(self) -> FlakyProxy:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> FlakyProxy:
        """Begins to listen; returns itself."""
        self._thread.start()
        self._do(self._start)
        self.endpoint = f"tcp://127.0.0.1:{self._port}"
        return self

    def close(self) -> None:
        """Ends every connection and the thread."""
        self._do(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Resets every connection and refuses new ones."""
        self._do(self._cut)

    def mute(self) -> None:
        """Lets nothing through any more, without a word to anybody."""
        self._do(self._mute)

    def hold(self) -> None:
        """Lets nothing through until `heal`."""
        self._do(self._hold)

    def heal(self) -> None:
        """Lets new connections work again, and those that were held."""
        self._do(self._heal)

    def slow(self, bytes_per_s: float | None) -> None:
        """Bounds the rate; `None`: as fast as it goes."""
        self._rate = bytes_per_s

    def _do(self, action: Callable[[], object]) -> None:
        """Runs something in the proxy's thread and waits until it is done."""

        async def acting() -> None:
            result = action()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(acting(), self._loop).result(10.0)

    async def _start(self) -> None:
        self._moving = asyncio.Event()
        self._moving.set()
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._listener: asyncio.Server | None = None
        await self._listen()

    async def _stop(self) -> None:
        await self._cut()
        tasks = list(self._links)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(
                self._accept, "127.0.0.1", self._port, limit=_CHUNK_BYTES
            )
            self._port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        self._state = "cut"
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for link in self._links.values():
            link.reset()
        self._moving.set()

    async def _mute(self) -> None:
        self._state = "mute"
        await self._listen()
        for link in self._links.values():
            link.mute = True
        self._moving.set()

    async def _hold(self) -> None:
        self._state = "held"
        await self._listen()
        self._moving.clear()

    async def _heal(self) -> None:
        self._state = "open"
        await self._listen()
        self._moving.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        link = self._links[task] = _Link(writer, mute=self._state == "mute")
        try:
            await self._forward(link, reader, writer)
        except OSError:
            pass  # one of the ends has gone; the other learns it in `finally`
        finally:
            link.reset()
            del self._links[task]

    async def _forward(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if link.mute:
            while await reader.read(_CHUNK_BYTES):
                pass
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target, limit=_CHUNK_BYTES)
        link.writers.append(far_writer)
        ways = [
            asyncio.create_task(self._pump(link, reader, far_writer)),
            asyncio.create_task(self._pump(link, far_reader, writer)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if link.mute and reader.at_eof():
                return
            if link.mute:
                # The far end gave up; the near one must not learn of it.
                await ways[0]
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            if self._rate is not None:
                await asyncio.sleep(len(data) / self._rate)
            await self._moving.wait()
            if link.mute:
                continue
            writer.write(data)
            await writer.drain()
            self.passed_bytes += len(data)


class _Link:
    """Both ends of one connection."""

    def __init__(self, writer: asyncio.StreamWriter, *, mute: bool) -> None:
        self.writers = [writer]
        self.mute = mute

    def reset(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(RuntimeError):
                writer.transport.abort()
