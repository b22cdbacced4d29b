from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from edge_daemon.cli.keys import keys
from edge_daemon.errors import KeysError
from edge_daemon.keys import ClientKeys, ServerKeys, public_key_of

Keys = Callable[..., tuple[str, str]]


@pytest.fixture
def edge_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Keys:
    """Runs `edge-daemon keys` with arguments; returns what it printed and what else it said."""
    monkeypatch.setenv("COLUMNS", "200")
    command = typer.main.get_command(keys)

    def run(*arguments: str | Path) -> tuple[str, str]:
        command.main(list(map(str, arguments)), "edge-daemon keys", standalone_mode=False)
        said = capsys.readouterr()
        return said.out, said.err

    return run


@pytest.fixture
def door(edge_keys: Keys, tmp_path: Path) -> Path:
    edge_keys("new", tmp_path / "door")
    return tmp_path / "door"


def test_new_prints_the_public_key_and_nothing_else(edge_keys: Keys, tmp_path: Path) -> None:
    printed, said = edge_keys("new", tmp_path / "door")
    assert printed == public_key_of(tmp_path / "door") + "\n"
    secret = (tmp_path / "door" / "identity.secret").read_text("utf-8").split('secret-key = "')[1]
    assert secret[:40] not in printed + said
    assert ServerKeys.load(tmp_path / "door", "edge-front").public == printed.strip()


def test_new_does_not_overwrite_unless_forced(edge_keys: Keys, door: Path) -> None:
    before = public_key_of(door)
    with pytest.raises(KeysError, match="--force"):
        edge_keys("new", door)
    assert public_key_of(door) == before
    printed, _ = edge_keys("new", door, "--force")
    assert printed.strip() == public_key_of(door) != before


def test_new_client_makes_a_directory_that_is_complete_and_let_in(
    edge_keys: Keys, door: Path, tmp_path: Path
) -> None:
    to = tmp_path / "gate-3-keys"
    printed, said = edge_keys("new", door, "--client", "gate-3", "--to", to, "--clients", "gate-*")
    assert ClientKeys.load(to).identity.public == printed.strip()
    assert ClientKeys.load(to).server == public_key_of(door)
    assert str(to) in said
    listed = json.loads(edge_keys("list", door, "--json")[0])
    assert listed["server"] == public_key_of(door)
    assert listed["peers"]["gate-3"]["key"] == printed.strip()
    assert listed["peers"]["gate-3"]["clients"] == ["gate-*"]


def test_a_key_made_at_the_camera_is_added_by_its_public_half(
    edge_keys: Keys, door: Path, tmp_path: Path
) -> None:
    camera = tmp_path / "camera"
    printed, _ = edge_keys("new", camera, "--server", door / "identity.public")
    edge_keys("add", door, "yard", camera / "identity.public")
    listed = json.loads(edge_keys("list", door, "--json")[0])["peers"]
    assert listed == {
        "yard": {
            "key": printed.strip(),
            "clients": ["yard"],
            "added": listed["yard"]["added"],
        }
    }


def test_list_shows_keys_as_they_are(edge_keys: Keys, door: Path, tmp_path: Path) -> None:
    # Brackets are letters of Z85, and would be markup to the terminal.
    key = "[bold]" + public_key_of(door)[6:]
    text = (door / "identity.public").read_text("utf-8").replace(public_key_of(door), key)
    (tmp_path / "other.public").write_text(text, encoding="utf-8")
    edge_keys("add", door, "gate-3", tmp_path / "other.public", "--clients", "gate-[12] yard")
    table, _ = edge_keys("list", door)
    (row,) = [line for line in table.splitlines() if "gate-3" in line]
    assert row.split()[:4] == ["gate-3", key, "gate-[12]", "yard"]
    assert public_key_of(door) in table


def test_list_names_files_that_admit_nobody(edge_keys: Keys, door: Path) -> None:
    (door / "peers" / "junk.public").write_bytes(b"junk")
    _, said = edge_keys("list", door)
    assert "junk.public admits nobody: not a key file: it has no public-key" in said


def test_revoke_shuts_out(edge_keys: Keys, door: Path, tmp_path: Path) -> None:
    edge_keys("new", door, "--client", "gate-3", "--to", tmp_path / "gate-3")
    _, said = edge_keys("revoke", door, "gate-3")
    assert "gate-3 may not talk any more" in said
    assert json.loads(edge_keys("list", door, "--json")[0])["peers"] == {}
    with pytest.raises(KeysError, match="no such peer"):
        edge_keys("revoke", door, "gate-3")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--client", "gate-3"],
        ["--to", "somewhere"],
        ["--clients", "*"],
        ["--client", "gate-3", "--to", "somewhere", "--server", "file"],
    ],
)
def test_options_that_do_not_belong_together(
    edge_keys: Keys, tmp_path: Path, arguments: list[Any]
) -> None:
    with pytest.raises(typer.BadParameter, match="--"):
        edge_keys("new", tmp_path / "door", *arguments)
    assert list(tmp_path.iterdir()) == []
