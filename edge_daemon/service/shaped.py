"""A frame in the form in which it will be sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edge_daemon.prefilter import Report
from edge_daemon.wire import SemanticFacts


@dataclass(frozen=True)
class Shaped:
    """A frame as it will be sent.

    Attributes:
        bitstream: Of the codec; of a text, packed, and of its side information.
        codec: The configuration that it was encoded with.
        width: Of the coded picture in pixels; of the source without a picture.
        height: Likewise.
        semantic: How the text was found that takes the picture's place; `None` for a picture.
        report: Of the prefilter; `None` if it did nothing.
        codec_ms: Milliseconds that the last encoding took.
        describe_ms: Milliseconds that the search for the text took; `None` for a picture.
        encodes: How often it was encoded.
        budget_bytes: That the envelope had to fit; `None` without a budget.
    """

    bitstream: bytes
    codec: dict[str, Any]
    width: int
    height: int
    semantic: SemanticFacts | None
    report: Report | None
    codec_ms: float
    describe_ms: float | None = None
    encodes: int = 1
    budget_bytes: int | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bitstream, lower-case hexadecimal."""
        return hashlib.sha256(self.bitstream).hexdigest()


Pack = Callable[[Shaped], bytes]
"""Makes of a frame the bytes that its budget is about: its envelope, for the daemon."""
