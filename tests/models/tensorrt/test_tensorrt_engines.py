"""The store: what is found, what is put aside, and what a bad disk does."""

from __future__ import annotations

import errno
import logging
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from models.tensorrt.driver import Gpu
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import EngineStoreError
from models.tensorrt.key import EngineKey

KEY = EngineKey.of(b"graph", "10.3.0", Gpu("Orin", (8, 7), 8, 8 << 30, "12.6"))
OTHER = replace(KEY, tensorrt="10.7.0")


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore([tmp_path / "bundle" / "engines", tmp_path / "cache"])


def write(
    store: EngineStore, key: EngineKey = KEY, plan: bytes = b"plan", took: float = 9.0
) -> Path:
    return store.write(key, plan, gpu="Orin", build_s=took)


def test_what_is_written_is_found(store: EngineStore) -> None:
    assert store.find(KEY) is None
    path = write(store)
    assert path.parent == store.directories[0]
    assert store.find(KEY) == (path, b"plan")
    assert store.find(OTHER) is None
    assert write(store, plan=b"a better plan") == path
    assert store.find(KEY) == (path, b"a better plan")
    assert not list(path.parent.glob(".*engine*"))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("", "its bytes are not those of its record"),
        (".json", "cannot be read"),
    ],
)
def test_damage_is_put_aside_with_the_reason(
    store: EngineStore, damaged: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(store)
    path.with_name(path.name + damaged).write_bytes(b"{")
    assert store.find(KEY) is None
    assert not path.exists()
    ((aside, why),) = store.broken()
    assert aside.name == KEY.file_name + ".broken"
    assert reason in why
    assert reason in caplog.text
    assert store.find(KEY) is None  # and is not found again
    write(store)
    assert store.find(KEY) is not None


def test_an_engine_cut_off_in_the_writing_counts_as_absent(store: EngineStore) -> None:
    path = write(store)
    path.with_name(path.name + ".json").unlink()
    assert store.find(KEY) is None
    assert path.exists()
    assert store.broken() == []


def test_a_quarantined_engine_says_why(store: EngineStore) -> None:
    write(store)
    store.quarantine(KEY, "it disagrees")
    assert store.find(KEY) is None
    assert [why for _, why in store.broken()] == ["it disagrees"]


def test_the_other_directory_serves_where_the_first_cannot_be_written(
    store: EngineStore, tmp_path: Path
) -> None:
    (tmp_path / "bundle").write_text("a file, where a directory has to be")
    path = write(store)
    assert path.parent == tmp_path / "cache"
    assert store.find(KEY) == (path, b"plan")
    store.write_timing_cache(KEY, b"timings")
    assert store.read_timing_cache(KEY) == b"timings"
    with store.locked():
        assert (tmp_path / "cache" / ".lock").exists()


def test_no_directory_takes_an_engine(store: EngineStore, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("")
    (tmp_path / "cache").write_text("")
    with pytest.raises(EngineStoreError, match=r"an engine of 4 bytes: .*bundle.*\(.*cache.*\(.*"):
        write(store)
    with pytest.raises(EngineStoreError, match="can be written"), store.locked():
        pass


def test_a_full_disk_leaves_what_was_there_and_nothing_else(
    store: EngineStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(store)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineStoreError, match="No space left on device"):
        write(store, OTHER)
    store.write_timing_cache(KEY, b"timings")
    assert "no directory takes the timing cache" in caplog.text
    assert store.read_timing_cache(KEY) == b""
    files = {path.name for folder in store.directories for path in folder.iterdir()}
    assert files == {KEY.file_name, KEY.file_name + ".json"}


def test_estimates_come_from_the_latest_build_alike(store: EngineStore) -> None:
    assert store.usual_build_s(KEY) is None
    old = write(store, OTHER, took=300.0)
    assert store.usual_build_s(KEY) == 300.0
    path = write(store, took=200.0)
    os.utime(path, (0, 0))
    os.utime(old, (9, 9))
    assert store.usual_build_s(KEY) == 200.0


def test_what_this_machine_does_not_need(store: EngineStore) -> None:
    for key in (KEY, OTHER):
        write(store, key)
        store.write_timing_cache(key, b"timings")
    store.quarantine(OTHER, "broken")
    with store.locked():
        pass
    assert {path.name for path in store.useless(KEY)} == {
        OTHER.file_name + ".broken",
        OTHER.file_name + ".broken.reason",
        OTHER.timing_cache_name,
    }


def test_one_builds_at_a_time(store: EngineStore) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with EngineStore(store.directories).locked():
            order.append("second")

    with store.locked():
        thread = threading.Thread(target=second)
        thread.start()
        assert entered.wait(10)
        thread.join(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b"}, "/var/cache/a/engines"),
        ({"XDG_CACHE_HOME": "/home/x/.cache"}, "/home/x/.cache/edge-daemon/engines"),
        ({"HOME": "/home/y"}, "/home/y/.cache/edge-daemon/engines"),
    ],
)
def test_where_a_bundle_that_cannot_be_written_has_its_engines(
    variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    first, second = EngineStore.beside(Path("/opt/bundles/tiny/engines")).directories
    assert first == Path("/opt/bundles/tiny/engines")
    assert second.parent == Path(where)
    assert second.name.startswith("tiny-")
    assert second != EngineStore.beside(Path("/srv/tiny/engines")).directories[1]


def test_a_store_that_was_never_written_is_empty(
    store: EngineStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert (store.records(), store.broken(), store.useless(KEY)) == ([], [], [])
    assert caplog.text == ""
