from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.client.frames import check_client_id
from edge_daemon.errors import ForbiddenError, KeysError, MessageError
from edge_daemon.keys import ANYONE, AllowList, Peer
from edge_daemon.keys.certificate import Certificate, new_pair, write_certificate
from edge_daemon.keys.peers import check_name, patterns_of

ONE, TWO, THREE = (new_pair().public for _ in range(3))


def put(directory: Path, name: str, key: str, **metadata: str) -> None:
    file = directory / f"{name}.public"
    write_certificate(file, Certificate(key, None, metadata), replace=True)


def names(peers: AllowList) -> list[str | None]:
    """The names under which the three keys are let in."""
    found = (peers.find(key) for key in (ONE, TWO, THREE))
    return [None if peer is None else peer.name for peer in found]


def test_adding_replacing_and_removing_is_seen(tmp_path: Path) -> None:
    peers = AllowList(tmp_path, fresh_s=0.0)
    assert names(peers) == [None, None, None]
    put(tmp_path, "gate-1", ONE)
    put(tmp_path, "gate-2", TWO)
    assert names(peers) == ["gate-1", "gate-2", None]
    put(tmp_path, "gate-1", THREE)
    assert names(peers) == [None, "gate-2", "gate-1"]
    (tmp_path / "gate-2.public").unlink()
    assert names(peers) == [None, None, "gate-1"]
    assert len(peers) == 1


def test_what_was_read_is_believed_for_a_while(tmp_path: Path) -> None:
    peers = AllowList(tmp_path, fresh_s=3600.0)
    put(tmp_path, "gate-1", ONE)
    assert peers.find(ONE) is None
    assert peers.find(ONE, within_s=1e-9) == Peer("gate-1", ONE, ("gate-1",))
    assert peers.find(ONE) is not None


def test_a_file_that_is_written_in_place_is_seen(tmp_path: Path) -> None:
    put(tmp_path, "gate-1", ONE, clients="gate-1")
    peers = AllowList(tmp_path, fresh_s=0.0)
    file = tmp_path / "gate-1.public"
    file.write_text(file.read_text("utf-8").replace("gate-1", "yard-*"), encoding="utf-8")
    os.utime(file, ns=(0, 0))
    found = peers.find(ONE)
    assert found is not None
    assert found.clients == ("yard-*",)


def test_bad_files_admit_nobody_and_leave_the_others_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "good", ONE)
    (tmp_path / "junk.public").write_bytes(b"\xff\x00")
    put(tmp_path, "-x", TWO)
    put(tmp_path, "glob", THREE, clients="a/b")
    (tmp_path / ".gate.public.draft").write_bytes(b"")
    (tmp_path / "README").write_bytes(b"")
    (tmp_path / "folder.public").mkdir()
    peers = AllowList(tmp_path, fresh_s=0.0)
    assert names(peers) == ["good", None, None]
    bad = [line for line in caplog.messages if "event=peer_file_bad" in line]
    assert len(bad) == 4
    assert names(peers) == ["good", None, None]
    assert len([line for line in caplog.messages if "event=peer_file_bad" in line]) == 4


def test_of_two_files_with_one_key_the_first_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "b", ONE, clients="*")
    put(tmp_path, "a", ONE)
    peers = AllowList(tmp_path, fresh_s=0.0)
    assert names(peers) == ["a", None, None]
    assert any("event=peer_twice name=b same_key_as=a" in line for line in caplog.messages)


def test_a_directory_that_is_gone_admits_nobody(tmp_path: Path) -> None:
    directory = tmp_path / "peers"
    directory.mkdir()
    put(directory, "gate-1", ONE)
    peers = AllowList(directory, fresh_s=0.0)
    directory.rename(tmp_path / "aside")
    assert names(peers) == [None, None, None]
    (tmp_path / "aside").rename(directory)
    assert names(peers) == ["gate-1", None, None]


def test_a_directory_that_cannot_be_listed_keeps_what_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "gate-1", ONE)
    peers = AllowList(tmp_path, fresh_s=0.0)

    def exhausted(_: Path) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", exhausted)
        assert names(peers) == ["gate-1", None, None]
        assert sum("event=peers_unreadable" in line for line in caplog.messages) == 1
    put(tmp_path, "gate-2", TWO)
    assert names(peers) == ["gate-1", "gate-2", None]


def test_changes_are_logged_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peers = AllowList(tmp_path, fresh_s=0.0)
    for number in range(7):
        put(tmp_path, f"gate-{number}", new_pair().public)
    assert names(peers) == [None, None, None]
    (line,) = [line for line in caplog.messages if "event=peers " in line]
    assert "peers=7 added='gate-0 gate-1 gate-2 gate-3 gate-4 and 2 more' removed=''" in line


@pytest.mark.parametrize(
    ("clients", "allowed", "refused"),
    [
        (None, ["gate-3"], ["gate-30", "gate", "GATE-3", "*"]),
        ("gate-*", ["gate-3", "gate-"], ["gate", "yard"]),
        ("gate-? yard", ["gate-3", "yard"], ["gate-30", "yard-1"]),
        ("gate-[12]", ["gate-1"], ["gate-3"]),
        ("*", ["gate-3", "anything"], []),
    ],
)
def test_a_peer_speaks_for_its_own_clients_only(
    tmp_path: Path, clients: str | None, allowed: list[str], refused: list[str]
) -> None:
    put(tmp_path, "gate-3", ONE, **({} if clients is None else {"clients": clients}))
    peer = AllowList(tmp_path).find(ONE)
    assert peer is not None
    for client_id in allowed:
        peer.check_client(client_id)
    for client_id in refused:
        with pytest.raises(ForbiddenError, match="gate-3 may not speak") as caught:
            peer.check_client(client_id)
        # Whoever holds an envelope keeps it until the keys are put right.
        assert caught.value.retry_after_s is not None


@given(st.text(max_size=80))
def test_where_no_keys_are_asked_for_anyone_speaks_for_anybody(client_id: str) -> None:
    ANYONE.check_client(client_id)
    assert ANYONE.name == ""


@given(st.text(st.sampled_from("aZ0_.-*? /é\n"), max_size=70))
def test_names_of_peers_are_client_ids(name: str) -> None:
    def good(check: object) -> bool:
        assert callable(check)
        try:
            return check(name) == name
        except (KeysError, MessageError):
            return False

    assert good(check_name) == good(check_client_id)


@pytest.mark.parametrize("text", ["", "  ", "a/b", "gate-*,yard", "a\x00", "é"])
def test_what_matches_no_client_id_is_no_pattern(text: str) -> None:
    with pytest.raises(KeysError, match="not client ids"):
        patterns_of(text)
