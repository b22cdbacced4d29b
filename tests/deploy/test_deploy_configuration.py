"""The configuration that an installation begins with."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from edge_daemon.config import load_settings
from edge_daemon.settings import Settings
from edge_daemon.settings.changes import compare

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "systemd" / "edge-daemon.toml"
DEFAULT = ROOT / "configs" / "default.toml"


def test_it_differs_from_the_defaults_in_where_things_lie_and_nothing_else() -> None:
    changes = compare(Settings(), load_settings(SHIPPED))
    assert changes.live == ("semantic.drawings",)
    assert changes.restart == (
        "cheng2020.python",
        "spool.directory",
        "uplink.directory.path",
        "cloud.directory",
        "cloud.inbox",
        "cloud.semantic.drawings",
        "metrics.bind",
    )


def test_frames_wait_on_disk_in_the_units_own_directory() -> None:
    directory = load_settings(SHIPPED).spool.directory
    assert directory == "/var/lib/edge-daemon/spool"
    unit = (SHIPPED.parent / "edge-daemon.service").read_text(encoding="utf-8")
    assert "StateDirectory=edge-daemon\n" in unit


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from strings_in(inner)


def test_no_path_depends_on_the_working_directory() -> None:
    values = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    relative = [text for text in strings_in(values) if "/" in text and text[0] != "/"]
    assert [text for text in relative if not re.match(r"(tcp|ipc|nats|http)://", text)] == []
    for table, key in (("uplink.directory", "path"), ("cloud", "directory"), ("cloud", "inbox")):
        inner = values
        for name in table.split("."):
            inner = inner[name]
        assert Path(inner[key]).is_absolute(), f"{table}.{key}"


def test_it_shows_every_key_that_the_default_file_shows() -> None:
    def keys(file: Path) -> set[str]:
        return set(re.findall(r"^(?:# )?([a-z_0-9]+) = ", file.read_text("utf-8"), re.MULTILINE))

    assert keys(DEFAULT) - keys(SHIPPED) == set()
