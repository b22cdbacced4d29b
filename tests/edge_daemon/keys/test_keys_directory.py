from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.errors import KeysError
from edge_daemon.keys import (
    BadPeer,
    ClientKeys,
    Peer,
    ServerKeys,
    add_peer,
    list_peers,
    new_client,
    new_identity,
    public_key_of,
    revoke_peer,
)


@pytest.fixture(params=[0o000, 0o077, 0o777], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in (directory, *directory.rglob("*"))
    }


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_server_and_its_client(door: Path, gate: Path) -> None:
    assert modes(door) == {
        ".": 0o700,
        "identity.secret": 0o600,
        "identity.public": 0o644,
        "peers": 0o755,
        "peers/gate-3.public": 0o644,
    }
    assert modes(gate) == {
        ".": 0o700,
        "identity.secret": 0o600,
        "identity.public": 0o644,
        "server.public": 0o644,
    }
    assert ServerKeys.load(door, "edge-front").public == ClientKeys.load(gate).server
    (peer,) = list_peers(door)
    assert isinstance(peer, Peer)
    assert (peer.name, peer.key, peer.clients) == ("gate-3", public_key_of(gate), ("gate-3",))
    assert peer.added.endswith("+00:00")


def test_secrets_stand_in_their_own_files_only(door: Path, gate: Path) -> None:
    for directory in (door, gate):
        secret = (directory / "identity.secret").read_text("utf-8").split('secret-key = "')[1][:40]
        holders = [
            path
            for path, content in {**contents(door), **contents(gate)}.items()
            if secret.encode() in content
        ]
        assert holders == [directory / "identity.secret"]


def test_a_key_made_at_the_camera_and_added_at_the_server(door: Path, tmp_path: Path) -> None:
    public = new_identity(tmp_path / "camera", server=door / "identity.public")
    add_peer(door, "gate-4", public, clients="gate-4  yard-*")
    assert ClientKeys.load(tmp_path / "camera").server == public_key_of(door)
    (peer,) = list_peers(door)
    assert isinstance(peer, Peer)
    assert (peer.key, peer.clients) == (public, ("gate-4", "yard-*"))


def test_nothing_is_overwritten_unless_forced(door: Path, gate: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    with pytest.raises(KeysError, match="there already"):
        new_identity(door)
    with pytest.raises(KeysError, match="there is a peer of this name"):
        new_client(door, "gate-3", tmp_path / "new")
    with pytest.raises(KeysError, match="there already"):
        new_client(door, "gate-4", gate)
    with pytest.raises(KeysError, match="there is a peer of this name"):
        add_peer(door, "gate-3", public_key_of(door))
    assert contents(tmp_path) == before
    assert new_client(door, "gate-3", gate, force=True) == public_key_of(gate)
    assert new_identity(door, force=True) == public_key_of(door)
    after = contents(tmp_path)
    assert before.keys() == after.keys()
    assert before[gate / "identity.secret"] != after[gate / "identity.secret"]
    assert before[door / "identity.secret"] != after[door / "identity.secret"]
    assert [peer.key for peer in list_peers(door) if isinstance(peer, Peer)] == [
        public_key_of(gate)
    ]


@pytest.mark.usefixtures("gate")
def test_one_key_has_one_name(door: Path, gate: Path) -> None:
    with pytest.raises(KeysError, match=r"under another name.*gate-3"):
        add_peer(door, "gate-4", public_key_of(gate))


@pytest.mark.usefixtures("gate")
def test_revoking_removes_the_peer_and_only_it(door: Path, tmp_path: Path) -> None:
    new_client(door, "gate-4", tmp_path / "gate-4")
    revoke_peer(door, "gate-3")
    assert [peer.name for peer in list_peers(door) if isinstance(peer, Peer)] == ["gate-4"]
    with pytest.raises(KeysError, match="no such peer"):
        revoke_peer(door, "gate-3")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "-x", "a b", "x" * 65, "a\n"])
def test_no_name_leads_out_of_the_directory(door: Path, tmp_path: Path, name: str) -> None:
    before = contents(tmp_path)
    for change in (
        lambda: add_peer(door, name, public_key_of(door)),
        lambda: revoke_peer(door, name),
        lambda: new_client(door, name, tmp_path / "client") and None,
    ):
        with pytest.raises(KeysError, match="not a name"):
            change()
    assert contents(tmp_path) == before


def test_bad_patterns_are_refused_before_anything_is_written(door: Path, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="not client ids"):
        new_client(door, "gate-3", tmp_path / "client", clients="a/b")
    assert not (tmp_path / "client").exists()
    assert list_peers(door) == []


def test_a_server_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"identity\.public: No such file"):
        new_client(tmp_path / "none", "gate-3", tmp_path / "client")
    with pytest.raises(KeysError, match=r"identity\.public: No such file"):
        add_peer(tmp_path / "none", "gate-3", "x")
    assert list(tmp_path.iterdir()) == []


def test_an_open_directory_gets_no_secret(tmp_path: Path) -> None:
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(KeysError, match="chmod 700"):
        new_identity(place)
    assert list(place.iterdir()) == []


def test_files_that_admit_nobody_are_listed_as_such(door: Path) -> None:
    (door / "peers" / "junk.public").write_bytes(b"junk")
    (entry,) = list_peers(door)
    assert isinstance(entry, BadPeer)
    assert entry.file == "junk.public"
    assert "no public-key" in entry.problem
