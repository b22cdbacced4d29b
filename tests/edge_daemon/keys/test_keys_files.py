from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.errors import KeysError
from edge_daemon.keys.files import (
    check_closed,
    make_directory,
    read_small,
    write_whole,
)
from edge_daemon.keys.secret import Secret


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    closed, open_ = tmp_path / "closed", tmp_path / "open"
    make_directory(closed, 0o700)
    make_directory(open_, 0o755)
    assert (mode(closed), mode(open_)) == (0o700, 0o755)
    for wanted in (0o600, 0o644):
        file = closed / f"{wanted:o}"
        write_whole(file, Secret(b"x"), mode=wanted, replace=False)
        assert mode(file) == wanted


def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, Secret(b"first"), mode=0o600, replace=False)
    with pytest.raises(KeysError, match="not overwritten") as caught:
        write_whole(file, Secret(b"second"), mode=0o600, replace=False)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == b"first"
    write_whole(file, Secret(b"third"), mode=0o600, replace=True)
    assert file.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_whole(file, Secret(b"first"), mode=0o600, replace=False)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeysError, match="No space left"):
        write_whole(file, Secret(b"second"), mode=0o600, replace=True)
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_secret_that_others_can_get_at_is_refused(tmp_path: Path, bits: int) -> None:
    file = tmp_path / "secret"
    write_whole(file, Secret(b"x"), mode=bits, replace=False)
    with pytest.raises(KeysError, match=f"mode 0{bits:o}.*chmod 600"):
        read_small(file, private=True)
    assert read_small(file, private=False).reveal() == b"x"


def test_only_small_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "large").write_bytes(bytes(20_000))
    for name, why in {
        "pipe": "regular",
        ".": "regular",
        "large": "large",
        "none": "No such",
    }.items():
        with pytest.raises(KeysError, match=why):
            read_small(tmp_path / name, private=False)


@pytest.mark.parametrize(
    ("bits", "readable", "good"),
    [
        (0o700, False, True),
        (0o750, False, False),
        (0o701, False, False),
        (0o755, True, True),
        (0o775, True, False),
        (0o757, True, False),
    ],
)
def test_directories_that_are_open_to_others(
    tmp_path: Path, bits: int, readable: bool, good: bool
) -> None:
    place = tmp_path / "keys"
    place.mkdir()
    place.chmod(bits)
    if good:
        check_closed(place, readable=readable)
        return
    with pytest.raises(KeysError, match=f"other users.*mode 0{bits:o}.*chmod"):
        check_closed(place, readable=readable)


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeysError, match="is a directory"):
        check_closed(tmp_path / "file", readable=True)
    with pytest.raises(KeysError, match="No such file"):
        check_closed(tmp_path / "none", readable=True)
    with pytest.raises(KeysError, match="cannot write"):
        make_directory(tmp_path / "file", 0o700)
