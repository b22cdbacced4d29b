"""Which worker keeps which envelope: a bucket of claims that all workers share.

Each worker has a directory and a log of its own, so no single log can say what is kept already. A
claim does: one entry per envelope, keyed by client and sequence, of which the server grants the
first (`create`) and every change only to who knows its latest revision.

    nobody's --claim--> claimed --kept and logged--> done
                           |--could not be kept now--> nobody's
                           |--silent for too long--> claimed by another worker

How long a claim has been silent is measured by the worker that meets it, on its own clock, from the
first time that it met that revision: no two clocks are compared.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nats.js.errors
from nats.js import JetStreamContext, api
from nats.js.kv import KeyValue

from edge_daemon.cloud.store import LOG_NAME, Seen
from edge_daemon.errors import StorageError
from edge_daemon.uplink.transports.nats_stream import token_of
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

TAKE_OVER_AFTER = 3.0
"""In a consumer's `ack_wait`: how long another worker's claim may be silent."""

WORKER_NAME = "worker-id"
_WORKER = re.compile(r"[0-9a-f]{16}")
_MOST_MET = 10_000
_TAIL_BYTES = 2**22


@dataclass(frozen=True)
class Claim:
    """What came of claiming an envelope.

    Attributes:
        state: "ours" to keep now; "done", by whomever; "others", who may still be at it.
        seen: Which frame the claim is about.
        revision: Of the entry.
        retry_after_s: With "others": when to look again.
    """

    state: Literal["ours", "done", "others"]
    seen: Seen
    revision: int
    retry_after_s: float = 0.0


class Claims:
    """One worker's view of the bucket.

    Args:
        worker: Its id.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._met: OrderedDict[Key, tuple[int, float]] = OrderedDict()

    async def open(self, js: JetStreamContext, stream: api.StreamInfo, ack_wait_s: float) -> None:
        """Finds the bucket of a stream, or makes it.

        Entries live as long as the stream remembers ids, counted from when the envelope was kept,
        so a repeat that the stream no longer knows as one is met by its claim for a while longer.

        Args:
            js: Of the connection in use.
            stream: Whose envelopes are claimed.
            ack_wait_s: Seconds after which its consumer delivers an envelope again.

        Raises:
            nats.errors.Error: The server refuses, or does not answer.
        """
        self._patience_s = TAKE_OVER_AFTER * ack_wait_s
        bucket = f"{stream.config.name}-claims"
        try:
            self._bucket: KeyValue = await js.key_value(bucket)
        except nats.js.errors.BucketNotFoundError:
            self._bucket = await js.create_key_value(
                api.KeyValueConfig(
                    bucket=bucket,
                    description="which worker keeps which envelope",
                    ttl=stream.config.duplicate_window,
                    storage=api.StorageType.FILE,
                    replicas=stream.config.num_replicas or 1,
                )
            )
            _log.info("event=claims_made bucket=%s", bucket)

    async def take(self, key: Key, seen: Seen) -> Claim:
        """Claims an envelope for this worker, if nobody has it.

        Args:
            key: (client, sequence).
            seen: What tells the frame from another under the same number.

        Raises:
            nats.errors.Error: The server refuses, or does not answer.
        """
        name = _name_of(key)
        while True:
            try:
                revision = await self._bucket.create(name, self._entry("claimed", seen))
                return Claim("ours", seen, revision)
            except nats.js.errors.KeyWrongLastSequenceError:
                claim = await self._met_claim(key, seen)
            if claim is not None:
                return claim

    async def done(self, key: Key, claim: Claim) -> bool:
        """Notes that the envelope is settled; `False` if another worker took it over meanwhile.

        Raises:
            nats.errors.Error: The server refuses, or does not answer.
        """
        entry = self._entry("done", claim.seen)
        try:
            await self._bucket.update(_name_of(key), entry, last=claim.revision)
        except nats.js.errors.KeyWrongLastSequenceError:
            # Or this very note arrived, and only the answer to it was lost.
            found = await self._bucket.get(_name_of(key))
            return found.value == entry
        return True

    async def give_back(self, key: Key, claim: Claim) -> None:
        """Lets another worker have an envelope that could not be kept here.

        Raises:
            nats.errors.Error: The server refuses, or does not answer.
        """
        await self._bucket.delete(_name_of(key), last=claim.revision)

    async def settle(self, keys: list[Key]) -> None:
        """Notes as done what this worker has in its log, but died before it could say so.

        Raises:
            nats.errors.Error: The server refuses, or does not answer.
        """
        for key in keys:
            try:
                found = await self._bucket.get(_name_of(key))
            except nats.js.errors.KeyNotFoundError:
                continue
            worker, state, claimed = _read(found)
            if worker == self._worker and state == "claimed":
                await self.done(key, Claim("ours", claimed, found.revision or 0))
                _log.info("event=claim_settled client=%s sequence=%d", *key)

    async def _met_claim(self, key: Key, seen: Seen) -> Claim | None:
        """What is claimed already; `None` if it changed meanwhile."""
        name = _name_of(key)
        try:
            found = await self._bucket.get(name)
        except nats.js.errors.KeyNotFoundError:
            return None
        worker, state, claimed = _read(found)
        revision = found.revision or 0
        if state == "done":
            self._met.pop(key, None)
            return Claim("done", claimed, revision)
        if worker == self._worker:
            return Claim("ours", seen, revision)
        silent_s = self._silent_s(key, revision)
        if silent_s < self._patience_s:
            # Often enough for a worker that comes back to meet what it had claimed.
            again_s = min(self._patience_s / 12, self._patience_s - silent_s)
            return Claim("others", claimed, revision, again_s)
        try:
            revision = await self._bucket.update(name, self._entry("claimed", seen), last=revision)
        except nats.js.errors.KeyWrongLastSequenceError:
            return None
        self._met.pop(key, None)
        _log.warning(
            "event=claim_taken_over client=%s sequence=%d worker=%s silent_s=%.1f",
            *key,
            worker,
            silent_s,
        )
        return Claim("ours", seen, revision)

    def _silent_s(self, key: Key, revision: int) -> float:
        now = time.monotonic()
        known, since = self._met.get(key, (0, now))
        if known != revision:
            since = now
        self._met[key] = (revision, since)
        while len(self._met) > _MOST_MET:
            self._met.popitem(last=False)
        return now - since

    def _entry(self, state: Literal["claimed", "done"], seen: Seen) -> bytes:
        entry = {"worker": self._worker, "state": state, **seen._asdict()}
        return json.dumps(entry).encode("ascii")


def _name_of(key: Key) -> str:
    client, sequence = key
    return f"{token_of(client)}.{sequence}"


def _read(found: KeyValue.Entry) -> tuple[str, str, Seen]:
    """Worker, state and frame of an entry; empty where somebody else wrote something else."""
    try:
        entry = json.loads(found.value or b"")
        seen = Seen(str(entry["digest"]), entry.get("fingerprint"))
        return str(entry["worker"]), str(entry["state"]), seen
    except (ValueError, KeyError, TypeError):
        return "", "", Seen("", None)


def worker_of(directory: Path) -> str:
    """The id of the worker that writes to a directory; made on first use, and kept there.

    So a worker that comes back, on this machine or another, knows its claims by its own log.

    Raises:
        StorageError: The directory cannot be used.
    """
    file = directory / WORKER_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            unfinished = file.with_suffix(".part")
            unfinished.write_text(secrets.token_hex(8), "ascii")
            unfinished.replace(file)
        worker = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as mistake:
        raise StorageError(
            f"cannot keep the worker's id there: {mistake}",
            value=str(file),
            remedy="make room or correct the permissions",
        ) from mistake
    if not _WORKER.fullmatch(worker):
        raise StorageError(
            "not a worker's id",
            value=worker,
            remedy=f"remove {file}; a new one is made",
        )
    return worker


def last_logged(directory: Path, count: int) -> list[Key]:
    """The last frames in a directory's log, the latest last.

    Raises:
        StorageError: The log cannot be read.
    """
    try:
        with (directory / LOG_NAME).open("rb") as log:
            end = log.seek(0, 2)
            log.seek(max(0, end - _TAIL_BYTES))
            lines = log.read().splitlines()
    except OSError as mistake:
        raise StorageError(
            f"cannot read the log: {mistake}",
            value=str(directory / LOG_NAME),
            remedy="correct its permissions",
        ) from mistake
    keys: list[Key] = []
    for line in lines[-count:]:
        try:
            entry = json.loads(line)
            keys.append((str(entry["client"]), int(entry["sequence"])))
        except (ValueError, KeyError, TypeError):
            # The store has warned of it.
            continue
    return keys
