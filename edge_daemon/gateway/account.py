"""What one request came to: for the log, the ledger and the answer's headers."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from edge_daemon.endpoint import EndpointError
from edge_daemon.errors import EdgeError
from edge_daemon.gateway.coder import Coded

_log = logging.getLogger(__name__)

_PREFIX: Final = "x-edge-daemon-"


@dataclass
class Account:
    """One request, filled in as it goes on.

    Attributes:
        identity: Names it in log, ledger and headers.
        status: That the client was sent; 0 as long as none was.
        problem: Why there was no whole answer; empty if there was.
        pictures: As the upstream got them.
        untouched: Pictures that were only named.
        coding_ms: Milliseconds from the whole request to the last picture encoded.
    """

    identity: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    status: int = 0
    problem: str = ""
    pictures: tuple[Coded, ...] = ()
    untouched: int = 0
    coding_ms: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    @property
    def bytes_in(self) -> int:
        """Of all pictures, as they came."""
        return sum(picture.bytes_in for picture in self.pictures)

    @property
    def bytes_out(self) -> int:
        """Of all pictures, encoded."""
        return sum(picture.bytes_out for picture in self.pictures)

    def headers(self) -> dict[str, str]:
        """The figures of the pictures, for the answer."""
        named = {f"{_PREFIX}request": self.identity}
        if not self.pictures:
            return named
        bpp = 8 * self.bytes_out / sum(picture.pixels for picture in self.pictures)
        return named | {
            f"{_PREFIX}pictures": str(len(self.pictures)),
            f"{_PREFIX}picture-bytes-in": str(self.bytes_in),
            f"{_PREFIX}picture-bytes-out": str(self.bytes_out),
            f"{_PREFIX}bpp": f"{bpp:.4f}",
        }

    def lines(self, series: str, codec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The ledger's line of each picture.

        Args:
            series: How pictures are treated: the gateway's mode.
            codec: Its configuration.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        for picture in self.pictures:
            yield {
                "time": now,
                "request": self.identity,
                "status": self.status,
                "series": series,
                "codec": codec["id"],
                "quality": codec.get("quality"),
                "bytes_in": picture.bytes_in,
                "bytes": picture.bytes_out,
                "pixels": picture.pixels,
                "sent_pixels": picture.sent_pixels,
                "bpp": round(8 * picture.bytes_out / picture.pixels, 6),
            }

    def failed(self, mistake: EdgeError | OSError) -> None:
        """Notes why there is no whole answer; what a client sent is not shown."""
        self.problem = mistake.code if isinstance(mistake, EdgeError) else "client_gone"
        if isinstance(mistake, EndpointError):
            _log.warning("event=upstream_failed id=%s error=%r", self.identity, str(mistake))

    def log(self) -> None:
        """Writes the request's line, without a word of what was asked or answered."""
        saved = 100 * (1 - self.bytes_out / self.bytes_in) if self.bytes_in else 0.0
        _log.info(
            "event=request id=%s status=%d problem=%s pictures=%d untouched=%d bytes_in=%s "
            "bytes_out=%s saved_percent=%.1f coding_ms=%.0f ms=%.0f",
            self.identity,
            self.status,
            self.problem or "none",
            len(self.pictures),
            self.untouched,
            ",".join(str(picture.bytes_in) for picture in self.pictures) or 0,
            ",".join(str(picture.bytes_out) for picture in self.pictures) or 0,
            saved,
            self.coding_ms,
            1000 * (time.monotonic() - self._begun),
        )
