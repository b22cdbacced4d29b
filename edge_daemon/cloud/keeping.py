"""What the cloud does with one envelope, however it came."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_daemon.cloud.decoding import decode_envelope, decode_text
from edge_daemon.cloud.escalation import check_score
from edge_daemon.cloud.follow_up import FollowUps, tasks_of
from edge_daemon.cloud.kept import Kind
from edge_daemon.cloud.store import Store
from edge_daemon.errors import DecodeError, SequenceError, StorageError, Verbatim
from edge_daemon.pictures import PictureLimits, to_png
from edge_daemon.settings import Settings
from edge_daemon.wire import Envelope, Key, unpack_envelope

_log = logging.getLogger(__name__)


class Keeper:
    """Verifies envelopes, decodes them, writes them down and has them followed up. Thread-safe.

    Args:
        settings: `cloud` and `limits` are used.

    Raises:
        SettingsError: What is to be done with frames afterwards lacks a key or a directory.
        StorageError: The directory or its log cannot be used, or another process uses it.
    """

    def __init__(self, settings: Settings) -> None:
        self._semantic = settings.cloud.semantic
        self._limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        tasks, directory = tasks_of(settings), Path(settings.cloud.directory)
        self._store = Store(directory, settings.cloud.remembered_frames)
        try:
            self._follow_ups = FollowUps(tasks, self._store, directory)
        except StorageError:
            self._store.close()
            raise

    @property
    def remembered(self) -> int:
        """Frames among which duplicates are recognised."""
        return len(self._store)

    def keep(self, payload: bytes, key: Key | None = None, *, insist: bool = True) -> bool:
        """Keeps one envelope; when this returns, its files and log line are on the disk.

        Args:
            payload: The envelope's bytes.
            key: Under which (client, sequence) it was sent; `None`: as its header says.
            insist: A text is taken whatever its score; so it is where no word goes back.

        Returns:
            Whether it was here already.

        Raises:
            EscalateError: The picture is wanted in place of its text; nothing was written.
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
        if not insist:
            check_score(header, self._semantic)
        contents = self._contents(envelope)
        kept = self._store.add(envelope, contents, len(payload), self._follow_ups.wanted(header))
        self._follow_ups.put(kept)
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
        """Ends what is done with frames, or gives it up after some seconds; closes the log."""
        self._follow_ups.close()
        self._store.close()

    def _contents(self, envelope: Envelope) -> dict[Kind, bytes]:
        """What is written of an envelope: a picture, or a text and what came beside it."""
        if envelope.header.mode != "semantic":
            return {"picture": to_png(decode_envelope(envelope, self._limits))}
        payload = decode_text(envelope)
        contents: dict[Kind, bytes] = {"text": payload.text.encode("utf-8")}
        if payload.side is not None:
            contents[payload.side.kind] = to_png(payload.side.pixels)
        return contents
