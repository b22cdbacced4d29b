"""What the cloud does with one envelope, however it came."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_daemon.cloud.decoding import decode_envelope, text_of
from edge_daemon.cloud.store import Store
from edge_daemon.errors import DecodeError, SequenceError, Verbatim
from edge_daemon.pictures import PictureLimits, to_png
from edge_daemon.settings import Settings
from edge_daemon.wire import Envelope, Key, unpack_envelope

_log = logging.getLogger(__name__)


class Keeper:
    """Verifies envelopes, decodes them and writes them down. Thread-safe.

    Args:
        settings: `cloud` and `limits` are used.

    Raises:
        StorageError: The directory or its log cannot be used, or another process uses it.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        self._store = Store(Path(settings.cloud.directory), settings.cloud.remembered_frames)

    @property
    def remembered(self) -> int:
        """Frames among which duplicates are recognised."""
        return len(self._store)

    def keep(self, payload: bytes, key: Key | None = None) -> bool:
        """Keeps one envelope; when this returns, picture and log line are on the disk.

        Args:
            payload: The envelope's bytes.
            key: Under which (client, sequence) it was sent; `None`: as its header says.

        Returns:
            Whether it was here already.

        Raises:
            LatentsError: A learned codec arrived at other latents: it is wanted in another codec.
            DecodeError: It is damaged, does not decode, or is not the one that `key` names.
            SequenceError: Another frame is here under this number.
            StorageError: It could not be written; it may come again later.
            EdgeError: The codec is not installed here, or the picture too large.
        """
        envelope = unpack_envelope(payload)
        header = envelope.header
        named = (header.client, header.sequence)
        if key is not None and named != key:
            raise DecodeError(
                "the envelope is not the one that the message names",
                value=named,
                remedy="send each envelope under its own client and sequence",
            )
        here = self._store.seen(named)
        if here is not None and here.is_same(header):
            return True
        if here is not None:
            raise SequenceError(
                "another picture is here under this number",
                value=Verbatim(f"{header.client} {header.sequence}"),
                remedy="give every frame of a client its own number, also after a restart",
            )
        self._store.add(envelope, self._content(envelope), len(payload))
        _log.info(
            "event=received client=%s sequence=%d codec=%s size=%dx%d envelope_bytes=%d",
            *named,
            header.codec.get("id"),
            header.width,
            header.height,
            len(payload),
        )
        return False

    def close(self) -> None:
        """Closes the log."""
        self._store.close()

    def _content(self, envelope: Envelope) -> bytes:
        """What is written of an envelope: a PNG, or the text that came in a picture's place."""
        if envelope.header.mode == "semantic":
            return text_of(envelope).encode("utf-8")
        return to_png(decode_envelope(envelope, self._limits))
