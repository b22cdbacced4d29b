"""What is let in. Everything that can be checked without decoding is checked here."""

from __future__ import annotations

import time
from collections import Counter

from edge_daemon.codecs import Codec, get_codec
from edge_daemon.errors import (
    BusyError,
    PayloadTooLargeError,
    PromptError,
    UnsupportedError,
    Verbatim,
)
from edge_daemon.service.job import Job
from edge_daemon.service.memory import Entry, Memory, fingerprint
from edge_daemon.service.shaping import check_able
from edge_daemon.service.stages import Stages
from edge_daemon.settings import Settings
from edge_daemon.uplink import Uplink
from edge_daemon.wire import MAX_PROMPTS, FrameHeader

MOST_WAITING_COPIES = 16
"""Copies of one frame that may wait for its answer."""


class Admission:
    """Lets a frame in, finds that it is in already, or says why not."""

    def __init__(
        self,
        settings: Settings,
        memory: Memory,
        stages: Stages,
        uplink: Uplink,
        counters: Counter[str],
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._stages = stages
        self._uplink = uplink
        self._counters = counters
        self.stopping = False

    def admit(self, header: FrameHeader, payload: bytes) -> tuple[Entry, bool]:
        """Decides on a frame.

        Returns:
            Its entry, and whether it was there already.

        Raises:
            EdgeError: Why it is not let in. `BusyError` is the only one that passes by itself.
        """
        self._counters["frames_received"] += 1
        self._counters["source_bytes"] += len(payload)
        self._check(header, payload)
        codec = self._codec(header)
        key, mark = (header.client, header.sequence), fingerprint(header, payload)
        entry = self._memory.find(key, mark)
        if entry is not None:
            if entry.waiting >= MOST_WAITING_COPIES:
                raise self._busy("too many copies of this frame wait already", entry.waiting)
            self._counters["frames_repeated"] += 1
            return entry, True
        self._check_room(len(payload))
        self._uplink.reserve()
        now = time.monotonic()
        allowed_s = header.deadline_s or self._settings.stages.default_deadline_s
        entry = self._memory.begin(key, mark)
        self._stages.put(Job(header, payload, len(payload), codec, now, now + allowed_s))
        return entry, False

    def _check(self, header: FrameHeader, payload: bytes) -> None:
        limits = self._settings.limits
        if header.ack == "spooled":
            raise UnsupportedError(
                "there is no spool on disk in this version",
                value=header.ack,
                remedy='ask for "accepted" or "delivered"',
            )
        if len(payload) > limits.max_payload_bytes:
            raise PayloadTooLargeError(
                f"the payload exceeds the limit of {limits.max_payload_bytes} bytes",
                value=Verbatim(f"{len(payload)} bytes"),
                remedy="send a smaller picture, or have the operator raise the limit",
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

    def _codec(self, header: FrameHeader) -> Codec:
        """The codec that the frame asks for, if it can do here what is asked of it."""
        codec = get_codec(self._settings.codec if header.codec is None else header.codec)
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

    def _check_room(self, payload_bytes: int) -> None:
        if self.stopping:
            raise stopping()
        waiting, waiting_bytes = self._stages.waiting, self._stages.waiting_bytes
        if waiting >= self._settings.stages.queue_frames:
            raise self._busy("as many frames as may are waiting already", waiting)
        if waiting and waiting_bytes + payload_bytes > self._settings.stages.queue_bytes:
            raise self._busy(
                "as many bytes as may are waiting already", Verbatim(f"{waiting_bytes} bytes")
            )

    def _busy(self, problem: str, value: object) -> BusyError:
        return BusyError(
            problem,
            value=value,
            remedy="send the frame again later",
            retry_after_s=self._stages.expected_wait_s(),
        )


def stopping() -> BusyError:
    """The error for frames that meet a daemon on its way out."""
    return BusyError(
        "the daemon is stopping", remedy="send the frame again later", retry_after_s=5.0
    )
