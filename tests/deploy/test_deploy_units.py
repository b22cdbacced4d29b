"""The units, as systemd itself reads them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_daemon.settings import Settings

SHIPPED = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = ["edge-daemon.service", "edge-cloud.service"]
DROP_INS = ["jetson.conf", "openvino.conf", "cheng2020.conf"]
MOST_EXPOSED = 15
"""Tenths of systemd's scale of exposure, of which 100 is the worst."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (package systemd)"
)


def analyze(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


def options(unit: str, section: str = "Service") -> dict[str, str]:
    """The options of a section that are given once."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    parser.read_string((SHIPPED / unit).read_text(encoding="utf-8"))
    return dict(parser[section])


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, *DROP_INS])
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(unit: str, drop_in: str | None, tmp_path: Path) -> None:
    program = tmp_path / "edge-daemon"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    text = (SHIPPED / unit).read_text(encoding="utf-8")
    # systemd wants the program to exist.
    text = text.replace("/opt/edge-daemon/current/venv/bin/edge-daemon", str(program))
    file = tmp_path / unit
    file.write_text(text, encoding="utf-8")
    if drop_in is not None:
        (tmp_path / f"{unit}.d").mkdir()
        shutil.copy(SHIPPED / drop_in, tmp_path / f"{unit}.d")
    result = analyze("verify", "--man=no", str(file), SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    ours = [line for line in result.stderr.splitlines() if "edge-" in line or str(tmp_path) in line]
    assert ours == []
    assert result.returncode == 0, result.stderr


@needs_systemd
def test_systemd_would_find_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "edge-wrong.service"
    file.write_text("[Service]\nExecStart=/bin/true\nProtectHoem=yes\n", encoding="utf-8")
    assert "ProtectHoem" in analyze("verify", "--man=no", str(file)).stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_exposes_no_more_than_it_has_to(unit: str) -> None:
    threshold = f"--threshold={MOST_EXPOSED}"
    result = analyze("security", "--offline=true", threshold, "--no-pager", str(SHIPPED / unit))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_a_box_that_nobody_visits_always_tries_again(unit: str) -> None:
    assert options(unit, "Unit")["StartLimitIntervalSec"] == "0"
    assert options(unit)["Restart"] == "always"
    assert options(unit)["RestartSec"] == "5"


def test_a_stop_has_time_to_drain() -> None:
    settings = Settings()
    drain_s = settings.stages.drain_s + settings.uplink.drain_s
    for unit in ("edge-daemon.service", "cheng2020.conf"):
        assert float(options(unit)["TimeoutStopSec"]) > 2 * drain_s


@pytest.mark.parametrize("unit", UNITS)
def test_the_makers_of_onnx_runtime_hear_nothing(unit: str) -> None:
    service = options(unit)
    runs_models = "serve" in service["ExecStart"]
    assert not runs_models or service["Environment"] == "ORT_DISABLE_TELEMETRY=1"


@pytest.mark.parametrize("unit", UNITS)
def test_every_user_and_directory_of_a_unit_is_made(unit: str) -> None:
    service = options(unit)
    users = (SHIPPED / "sysusers.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u {service['User']} - ", users, re.MULTILINE)
    assert service["Group"] == service["User"]
    assert service["WorkingDirectory"] == f"%S/{service['StateDirectory']}"
    assert f'" /var/lib/{service["StateDirectory"]}\n' in users


def test_cameras_of_the_group_reach_the_socket_and_nobody_else_does() -> None:
    service = options("edge-daemon.service")
    assert (service["RuntimeDirectoryMode"], service["UMask"]) == ("0750", "0007")
    assert service["StateDirectoryMode"] == "0700"
