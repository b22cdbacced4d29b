"""What is let in. Everything that can be checked without decoding is checked here.

Under overload most frames are refused, so refusing is cheap: what a client may do and what there is
room and time for is looked at before any byte of the payload is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from edge_daemon.codecs import Codec, get_codec
from edge_daemon.errors import (
    BusyError,
    MessageError,
    PromptError,
    SequenceError,
    SpoolFullError,
    UnsupportedError,
    Verbatim,
)
from edge_daemon.service.job import Job
from edge_daemon.service.leaving import WayOut
from edge_daemon.service.limits import Client, Clients
from edge_daemon.service.memory import Entry, Mark, Memory, fingerprint
from edge_daemon.service.observing import DropReason, Observer, Unobserved
from edge_daemon.service.shaping import check_able, exact_config
from edge_daemon.service.stages import Stages
from edge_daemon.settings import Settings
from edge_daemon.wire import MAX_PROMPTS, Bytes, FrameHeader, Key

MOST_WAITING_COPIES = 16
"""Copies of one frame that may wait for its answer."""


class Admission:
    """Lets a frame in, finds that it is in already, or says why not.

    Marks are made in a thread, for they cost a look at every byte. Frames need them when they are
    sealed, so making them takes no time of the frame where there is a second core.
    """

    def __init__(
        self,
        settings: Settings,
        memory: Memory,
        stages: Stages,
        uplink: WayOut,
        counters: Counter[str],
        *,
        telemetry: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._stages = stages
        self._uplink = uplink
        self._counters = counters
        self._observer = telemetry or Unobserved()
        self._clients = Clients(settings.limits, settings.cameras)
        self._marker = ThreadPoolExecutor(1, "mark")
        self.stopping = False

    def admit(self, header: FrameHeader, payload: Bytes) -> tuple[Entry, Mark | None]:
        """Decides on a frame.

        Returns:
            Its entry; and if there was one under its number already, the mark of this copy, which
            `confirm` has to see.

        Raises:
            EdgeError: Why it is not let in. `BusyError` is the only one that passes by itself.
        """
        self._counters["frames_received"] += 1
        self._counters["source_bytes"] += len(payload)
        client = self._clients.of(header.client)
        client.check_payload(len(payload))
        self._check(header)
        asked = self._asked(header)
        codec = self._codec(header, asked)
        key: Key = (header.client, header.sequence)
        known = self._memory.find(key)
        if known is not None:
            self._check_copies(known, header.client, client)
            return known, self._marker.submit(fingerprint, header, payload)
        if self.stopping:
            raise stopping()
        now = time.monotonic()
        allowed_s = header.deadline_s or self._settings.stages.default_deadline_s
        self._check_load(header.client, client, len(payload), allowed_s, now)
        mark = self._marker.submit(fingerprint, header, payload)
        entry = self._memory.begin(key, mark)
        if client.rate is not None:
            client.rate.take(now)
        job = Job(
            header,
            payload,
            len(payload),
            codec,
            now,
            now + allowed_s,
            client.limits,
            client.rules,
            asked,
            mark,
        )
        self._stages.put(job, client.rules)
        return entry, None

    async def confirm(self, key: Key, entry: Entry, copy: Mark) -> None:
        """Returns when it is sure that a copy is one of the frame that was there already.

        Raises:
            SequenceError: The number belongs to another frame.
        """
        first, second = await asyncio.gather(*map(asyncio.wrap_future, (entry.mark, copy)))
        if first != second:
            raise SequenceError(
                f"client {key[0]} used this sequence number for another frame",
                value=key[1],
                remedy="give every frame its own number, also after a restart",
            )
        self._counters["frames_repeated"] += 1

    def close(self) -> None:
        """Ends the thread, when it is done with what was let in."""
        self._marker.shutdown()

    def reconfigure(self, settings: Settings) -> None:
        """From now on, frames are let in by these."""
        self._settings = settings
        self._clients = Clients(settings.limits, settings.cameras)

    def _check_copies(self, entry: Entry, name: str, client: Client) -> None:
        if entry.waiting >= MOST_WAITING_COPIES:
            raise BusyError(
                "too many copies of this frame wait already",
                value=entry.waiting,
                remedy="send the frame again later",
                retry_after_s=self._stages.room.retry_s(name, client.rules),
            )

    def _check_load(
        self, name: str, client: Client, payload_bytes: int, allowed_s: float, now: float
    ) -> None:
        """Raises `BusyError` unless the frame may come, has room, and can be done in time.

        A place on the uplink is reserved for it, unless it takes over that of a frame it replaces.
        """
        room, rules = self._stages.room, client.rules
        reason: DropReason = "rate"
        try:
            client.check_rate(now)
            reason = "busy"
            room.check_room(name, payload_bytes, rules)
            reason = "deadline"
            room.check_time(name, rules, allowed_s)
            reason = "busy"
            if not (rules.latest_only and room.replaceable(name)):
                self._uplink.reserve(name)
        except BusyError as error:
            full = isinstance(error, SpoolFullError)
            self._observer.dropped("spool_full" if full else reason, name)
            raise

    def _check(self, header: FrameHeader) -> None:
        if header.ack == "spooled" and self._settings.spool.directory is None:
            raise UnsupportedError(
                "this daemon has no spool on disk",
                value=header.ack,
                remedy='ask for "accepted" or "delivered"',
            )
        if header.caption is not None and header.mode != "semantic":
            raise MessageError(
                f"a caption has no place in mode {header.mode}",
                value=header.caption,
                remedy='send "mode": "semantic", or no caption',
            )
        if not 1 <= len(header.prompts) <= MAX_PROMPTS:
            raise PromptError(
                f"a frame takes 1 to {MAX_PROMPTS} prompts",
                value=len(header.prompts),
                remedy='send fewer, or "" for none',
            )
        prompt_bytes = sum(len(prompt.encode("utf-8")) for prompt in header.prompts)
        if prompt_bytes > self._settings.prompt.max_bytes:
            raise PromptError(
                f"the prompt exceeds the limit of {self._settings.prompt.max_bytes} bytes",
                value=Verbatim(f"{prompt_bytes} bytes"),
                remedy="send a shorter prompt",
            )

    def _asked(self, header: FrameHeader) -> Mapping[str, Any]:
        """The configuration of the frame's codec, as the frame or the operator wrote it."""
        default = self._settings.codec
        asked = default if header.codec is None else header.codec
        # The picture that is kept for a text is a spare, and has none itself.
        return exact_config(asked, default) if header.mode == "semantic" else asked

    def _codec(self, header: FrameHeader, asked: Mapping[str, Any]) -> Codec:
        """The codec that the frame asks for, if it can do here what is asked of it."""
        codec = get_codec(asked)
        if not (codec.exact_everywhere or self._uplink.cloud_answers):
            raise UnsupportedError(
                "the way to the cloud brings back no word on whether a learned codec decoded right",
                value=codec.codec_id,
                remedy="ask for another codec, or use the transport zeromq",
            )
        allocation = header.allocation or self._settings.prefilter.allocation
        if header.mode == "plain":
            allocation = "auto"  # nothing is spent
        check_able(codec, allocation)
        if self._settings.prefilter.mode == "reference" and allocation in {"quantiser", "both"}:
            raise UnsupportedError(
                "reference mode spends relevance by smoothing only",
                value=allocation,
                remedy='send "allocation": "smooth"',
            )
        return codec


def stopping() -> BusyError:
    """The error for frames that meet a daemon on its way out."""
    return BusyError(
        "the daemon is stopping", remedy="send the frame again later", retry_after_s=5.0
    )
