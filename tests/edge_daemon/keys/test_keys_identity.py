from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.errors import KeysError
from edge_daemon.keys import (
    CREDENTIALS,
    ClientKeys,
    Credential,
    Identity,
    ServerKeys,
    new_identity,
    public_key_of,
)


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory such as systemd hands to a service."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return directory


def hand_over(source: Path, granted: Path, role: Credential) -> str:
    """Gives a directory's secret to systemd; returns its public key."""
    # As systemd's files look that an access list opens to the service's user.
    (granted / f"{role}.secret").write_bytes((source / "identity.secret").read_bytes())
    (granted / f"{role}.secret").chmod(0o440)
    return public_key_of(source)


def test_the_file_is_taken_where_systemd_has_nothing(door: Path, granted: Path) -> None:
    assert Identity.load(door, "edge-front").public == public_key_of(door)
    assert list(granted.iterdir()) == []


@pytest.mark.parametrize("role", CREDENTIALS)
def test_systemds_secret_is_taken_before_the_file(
    door: Path, tmp_path: Path, granted: Path, role: Credential
) -> None:
    new_identity(tmp_path / "other")
    public = hand_over(tmp_path / "other", granted, role)
    assert Identity.load(door, role).public == public != public_key_of(door)
    others = {Identity.load(door, other).public for other in CREDENTIALS if other != role}
    assert others == {public_key_of(door)}


def test_with_systemd_the_directory_needs_no_secret_and_may_be_looked_into(
    door: Path, gate: Path, granted: Path
) -> None:
    roles: dict[Path, Credential] = {door: "edge-front", gate: "edge-uplink"}
    for directory, role in roles.items():
        hand_over(directory, granted, role)
        (directory / "identity.secret").unlink()
        directory.chmod(0o755)
    assert ServerKeys.load(door, "edge-front").public == public_key_of(door)
    assert ClientKeys.load(gate, "edge-uplink").server == public_key_of(door)
    door.chmod(0o777)
    with pytest.raises(KeysError, match="write to"):
        ServerKeys.load(door, "edge-front")


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o710])
def test_a_directory_open_to_others_is_refused(door: Path, gate: Path, bits: int) -> None:
    door.chmod(bits)
    gate.chmod(bits)
    with pytest.raises(KeysError, match="get into this key directory"):
        ServerKeys.load(door, "edge-front")
    with pytest.raises(KeysError, match="get into this key directory"):
        ClientKeys.load(gate)


def test_a_secret_open_to_others_is_refused(door: Path) -> None:
    (door / "identity.secret").chmod(0o644)
    with pytest.raises(KeysError, match="other users can get at"):
        ServerKeys.load(door, "edge-front")


def test_peers_that_others_can_write_are_refused(door: Path) -> None:
    (door / "peers").chmod(0o777)
    with pytest.raises(KeysError, match="write to"):
        ServerKeys.load(door, "edge-front")


def test_a_public_file_in_the_secrets_place_is_named(door: Path) -> None:
    secret = door / "identity.secret"
    secret.write_bytes((door / "identity.public").read_bytes())
    with pytest.raises(KeysError, match=r"no secret-key.*identity\.secret"):
        Identity.load(door, "edge-front")


@pytest.mark.parametrize("missing", ["identity.secret", "server.public"])
def test_what_is_missing_is_named(gate: Path, missing: str) -> None:
    (gate / missing).unlink()
    with pytest.raises(KeysError, match=missing):
        ClientKeys.load(gate)


def test_loaded_keys_do_not_show_their_secret(door: Path, gate: Path) -> None:
    loaded = (ClientKeys.load(gate), ServerKeys.load(door, "edge-front"))
    shown = f"{loaded} {[vars(keys) for keys in loaded]}"
    for directory in (door, gate):
        identity = Identity.load(directory, "edge-front")
        assert identity.secret.reveal().decode() not in shown
        assert identity.public in shown
