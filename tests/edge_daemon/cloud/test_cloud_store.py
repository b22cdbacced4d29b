from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.cloud.store import LOG_NAME, Store
from edge_daemon.errors import StorageError
from edge_daemon.wire import Envelope, seal

FACTS: dict[str, Any] = {
    "client": "cam",
    "sequence": 7,
    "mode": "plain",
    "prompts": ["Где?"],
    "codec": {"id": "jpeg"},
    "width": 1,
    "height": 1,
    "source_bytes": 3,
    "relevance": None,
    "timings_ms": {},
}


def envelope(sequence: int, client: str = "cam", bitstream: bytes = b"bits") -> Envelope:
    facts: dict[str, Any] = {**FACTS, "client": client, "sequence": sequence}
    return seal(bitstream, **facts)


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / LOG_NAME).read_text("utf-8").splitlines()]


def test_a_picture_and_its_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "place", 10)
    kept = store.add(envelope(7), {"picture": b"png"}, 99)
    assert kept.files == {"picture": "cam/7.png"}
    assert (tmp_path / "new" / "place" / "cam" / "7.png").read_bytes() == b"png"
    (line,) = lines(tmp_path / "new" / "place")
    assert (line["client"], line["sequence"], line["picture"]) == ("cam", 7, "cam/7.png")
    assert (line["prompts"], line["envelope_bytes"], line["bitstream_bytes"]) == (["Где?"], 99, 4)
    seen = store.seen(("cam", 7))
    assert seen is not None
    assert seen.digest == line["bitstream_sha256"]
    assert store.seen(("cam", 8)) is None
    store.close()


def test_the_log_is_the_memory(tmp_path: Path) -> None:
    first = Store(tmp_path, 10)
    first.add(envelope(1), {"picture": b""}, 0)
    first.add(envelope(1, client="other"), {"picture": b""}, 0)
    first.close()
    again = Store(tmp_path, 10)
    assert len(again) == 2
    seen = again.seen(("cam", 1))
    assert seen is not None
    assert seen.is_same(envelope(1).header)
    again.add(envelope(2), {"picture": b""}, 0)
    again.close()
    assert [line["sequence"] for line in lines(tmp_path)] == [1, 1, 2]


@pytest.mark.parametrize("torn", [b"{", b'{"client":"cam","sequence":2', b'{"client":"cam"}'])
def test_a_line_that_a_crash_tore_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    first = Store(tmp_path, 10)
    first.add(envelope(1), {"picture": b""}, 0)
    first.close()
    with (tmp_path / LOG_NAME).open("ab") as log:
        log.write(torn)
    again = Store(tmp_path, 10)
    assert len(again) == 1
    again.add(envelope(2), {"picture": b""}, 0)
    again.close()
    assert [line["sequence"] for line in lines(tmp_path)] == [1, 2]


def test_unreadable_lines_in_the_middle_are_passed_over_and_kept(tmp_path: Path) -> None:
    good = {"client": "cam", "sequence": 1, "bitstream_sha256": "0" * 64}
    text = b"\xff\xfe\n[]\n{}\n" + json.dumps(good).encode() + b"\n"
    (tmp_path / LOG_NAME).write_bytes(text)
    store = Store(tmp_path, 10)
    assert len(store) == 1
    store.close()
    assert (tmp_path / LOG_NAME).read_bytes() == text


def test_only_the_latest_frames_are_remembered(tmp_path: Path) -> None:
    store = Store(tmp_path, 2)
    for sequence in range(4):
        store.add(envelope(sequence), {"picture": b""}, 0)
    assert [sequence for sequence in range(4) if store.seen(("cam", sequence))] == [2, 3]
    store.close()


def test_a_line_that_did_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, 10)
    store.add(envelope(1), {"picture": b""}, 0)
    whole = (tmp_path / LOG_NAME).read_bytes()
    real = os.write
    room = 20

    def full_disk(descriptor: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, data[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr("edge_daemon.cloud.durable.os.write", full_disk)
        with pytest.raises(StorageError, match="No space left") as caught:
            store.add(envelope(2), {"picture": b""}, 0)
    assert caught.value.retry_after_s is not None
    assert (tmp_path / LOG_NAME).read_bytes() == whole
    assert store.seen(("cam", 2)) is None
    store.add(envelope(2), {"picture": b""}, 0)
    assert [line["sequence"] for line in lines(tmp_path)] == [1, 2]
    store.close()


def test_a_picture_that_did_not_fit_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, 10)

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge_daemon.cloud.durable.os.fsync", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        store.add(envelope(1), {"picture": b"png"}, 0)
    assert list((tmp_path / "cam").iterdir()) == []
    assert lines(tmp_path) == []
    store.close()


def test_two_receivers_do_not_share_a_directory(tmp_path: Path) -> None:
    store = Store(tmp_path, 10)
    with pytest.raises(StorageError, match="another receiver"):
        Store(tmp_path, 10)
    store.close()
    Store(tmp_path, 10).close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/below"):
        Store(tmp_path / "file" / "below", 10)


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)

    def write(start: int) -> None:
        for sequence in range(start, start + 10):
            store.add(envelope(sequence), {"picture": b""}, 0)

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert sorted(line["sequence"] for line in lines(tmp_path)) == list(range(30))


def test_one_frame_in_two_encodings_is_one_frame(tmp_path: Path) -> None:
    store = Store(tmp_path, 10)
    first, again = (
        seal(bits, **FACTS, fingerprint=mark) for bits, mark in ((b"one", "7-a"), (b"two", "7-a"))
    )
    other = seal(b"two", **FACTS, fingerprint="7-b")
    store.add(first, {"picture": b"png"}, 99)
    store.close()
    seen = Store(tmp_path, 10).seen(("cam", 7))
    assert seen is not None
    assert seen.is_same(first.header)
    assert seen.is_same(again.header)
    assert not seen.is_same(other.header)
    assert not seen.is_same(seal(b"two", **FACTS).header)
