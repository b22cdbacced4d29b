"""The installer, in a directory that stands for the root, with an environment that is there."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEMCTL = """#!/bin/sh
# Stands in for systemctl: notes what it is asked, and fails to start what it is told to.
echo "$@" >> {log}
case "$1" in restart|start) ! grep -q . {broken} ;; esac
"""


PYTHON = """#!/bin/sh
# Stands in for an environment's Python, which would take seconds: finds every configuration good.
case "$*" in "-I -m edge_daemon check-config /"*) exit 0 ;; esac
exit 2
"""


class Machine:
    """A checkout to install from, and a directory to install into.

    Args:
        directory: For all of it.
        real: Install the environment of the tests, instead of one that only says yes.
    """

    def __init__(self, directory: Path, *, real: bool = False) -> None:
        self.root = directory / "root"
        self.checkout = directory / "checkout"
        self.told = directory / "told"
        self.broken = directory / "broken"
        self._programs = directory / "programs"
        self._programs.mkdir()
        self.told.touch()
        self.broken.touch()
        systemctl = self._programs / "systemctl"
        systemctl.write_text(SYSTEMCTL.format(log=self.told, broken=self.broken), encoding="utf-8")
        systemctl.chmod(0o755)
        self.venv = Path(sys.prefix) if real else directory / "venv"
        if not real:
            (self.venv / "bin").mkdir(parents=True)
            (self.venv / "bin/python").write_text(PYTHON, encoding="utf-8")
            (self.venv / "bin/python").chmod(0o755)
        # The environment is there already; the checkout only tells versions apart.
        for name in ("edge_daemon", "kernels", "models", "export"):
            (self.checkout / name).mkdir(parents=True)
        for name in ("pyproject.toml", "setup.py"):
            shutil.copy(ROOT / name, self.checkout)
        shutil.copytree(ROOT / "deploy", self.checkout / "deploy")
        self.change()

    def change(self) -> None:
        """Makes the checkout another version."""
        module = self.checkout / "edge_daemon" / "__init__.py"
        text = module.read_text(encoding="utf-8") if module.exists() else ""
        module.write_text(f"{text}# changed\n", encoding="utf-8")

    def change_shipped_configuration(self) -> None:
        with (self.checkout / "deploy/systemd/edge-daemon.toml").open(
            "a", encoding="utf-8"
        ) as file:
            file.write("# a new default\n")

    def run(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.checkout / "deploy" / script), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"},
        )

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("install.sh", "--root", str(self.root), "--venv", str(self.venv), *options)

    def installed(self, *options: str) -> str:
        """Installs, and returns the release that is in force."""
        result = self.install(*options)
        assert result.returncode == 0, result.stderr
        return self.release()

    def release(self) -> str:
        return (self.root / "opt/edge-daemon/current").readlink().name

    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "opt/edge-daemon/releases").iterdir()}

    @property
    def config(self) -> Path:
        return self.root / "etc/edge-daemon/edge-daemon.toml"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    def tree(self) -> dict[str, str]:
        """Every path below the root: its mode, and its content or where it points."""
        facts: dict[str, str] = {}
        for path in sorted(self.root.rglob("*")):
            mode = stat.filemode(path.lstat().st_mode)
            if path.is_symlink():
                content = str(path.readlink())
            else:
                content = path.read_text("utf-8") if path.is_file() else ""
            facts[str(path.relative_to(self.root))] = f"{mode} {content}"
        return facts


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def real_machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, real=True)


def test_installing_twice_is_installing_once(real_machine: Machine) -> None:
    machine = real_machine
    machine.installed()
    once = machine.tree()
    machine.installed()
    assert machine.tree() == once


def test_everything_is_where_the_unit_looks_for_it(machine: Machine) -> None:
    release = machine.installed()
    unit = (machine.units / "edge-daemon.service").read_text(encoding="utf-8")
    program, *_, config = next(
        line.removeprefix("ExecStart=").split()
        for line in unit.splitlines()
        if line.startswith("ExecStart=")
    )
    assert Path(config) == Path("/") / machine.config.relative_to(machine.root)
    assert Path(program).is_relative_to("/opt/edge-daemon/current/venv")
    venv = machine.root / f"opt/edge-daemon/releases/{release}/venv"
    assert venv.resolve() == machine.venv.resolve()
    wanted = machine.units / "multi-user.target.wants/edge-daemon.service"
    assert str(wanted.readlink()) == "/etc/systemd/system/edge-daemon.service"
    assert (machine.root / "etc/sysusers.d/edge-daemon.conf").is_file()
    assert machine.told.read_text() == "", "an image has no service manager to talk to"


def test_a_wanted_service_is_enabled_and_no_other(machine: Machine) -> None:
    machine.installed("--service", "edge-cloud")
    wants = machine.units / "multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["edge-cloud.service"]
    machine.change()
    machine.installed()
    assert [path.name for path in wants.iterdir()] == ["edge-cloud.service"]


def test_without_a_start_nothing_is_enabled(machine: Machine) -> None:
    machine.installed("--no-start")
    assert not (machine.units / "multi-user.target.wants").exists()
    assert machine.told.read_text() == ""


def test_an_upgrade_keeps_a_changed_configuration(machine: Machine) -> None:
    first = machine.installed()
    own = machine.config.read_text(encoding="utf-8") + "# mine\n"
    machine.config.write_text(own, encoding="utf-8")
    machine.change()
    second = machine.installed()
    assert second != first
    assert machine.releases() == {first, second}
    assert machine.config.read_text(encoding="utf-8") == own
    new = machine.config.with_name("edge-daemon.toml.new")
    assert not new.exists(), "what is shipped has not changed"
    machine.change_shipped_configuration()
    third = machine.installed()
    assert machine.config.read_text(encoding="utf-8") == own
    assert new.read_text(encoding="utf-8").endswith("# a new default\n")
    assert machine.releases() == {second, third}, "the one before stays, to go back to"


def test_a_configuration_that_the_new_version_refuses_stops_the_upgrade(
    real_machine: Machine,
) -> None:
    machine = real_machine
    first = machine.installed()
    machine.config.write_text("[stages]\nthreds = 2\n", encoding="utf-8")
    before = machine.tree()
    machine.change()
    result = machine.install("--start")
    assert result.returncode == 1
    assert "stages.threds" in result.stdout + result.stderr
    assert machine.release() == first
    after = machine.tree()
    after.pop("etc/edge-daemon/edge-daemon.toml.new", None)
    assert after == before
    assert machine.told.read_text() == "", "what runs was not touched"


def test_a_service_is_enabled_and_restarted_with_the_new_version(machine: Machine) -> None:
    machine.installed("--start")
    assert machine.told.read_text().splitlines() == [
        "daemon-reload",
        "enable --quiet edge-daemon.service",
        "restart edge-daemon.service",
        "is-active --quiet edge-daemon.service",
    ]


def test_what_has_not_changed_is_not_restarted(machine: Machine) -> None:
    machine.installed("--start")
    machine.told.write_text("")
    machine.installed("--start")
    assert "start edge-daemon.service" in machine.told.read_text().splitlines()
    assert "restart" not in machine.told.read_text()


def test_a_version_that_does_not_become_ready_is_taken_back(machine: Machine) -> None:
    first = machine.installed("--start")
    unit = machine.units / "edge-daemon.service"
    before = unit.read_text(encoding="utf-8")
    shipped = machine.checkout / "deploy/systemd/edge-daemon.service"
    shipped.write_text(before + "# the next version\n", encoding="utf-8")
    machine.told.write_text("")
    machine.broken.write_text("yes")
    result = machine.install("--start")
    assert result.returncode == 1
    assert f"went back to {first}" in result.stderr
    assert machine.release() == first
    assert machine.releases() == {first}
    assert unit.read_text(encoding="utf-8") == before
    told = machine.told.read_text().splitlines()
    assert told[-2:] == ["daemon-reload", "restart edge-daemon.service"]


def test_half_a_release_is_built_again(machine: Machine) -> None:
    release = machine.installed()
    directory = machine.root / "opt/edge-daemon/releases" / release
    (directory / ".complete").unlink()
    shutil.rmtree(directory / "share")
    machine.installed()
    assert (directory / "share/edge-daemon.service").is_file()
    assert (directory / ".complete").is_file()


def test_a_drop_in_is_put_beside_the_unit_and_in_force(machine: Machine) -> None:
    machine.installed("--start")
    machine.told.write_text("")
    machine.installed("--start", "--drop-in", "jetson")
    assert (machine.units / "edge-daemon.service.d/jetson.conf").is_file()
    assert "restart edge-daemon.service" in machine.told.read_text().splitlines()


def test_a_drop_in_with_which_nothing_starts_is_taken_back(machine: Machine) -> None:
    release = machine.installed("--start")
    own = machine.units / "edge-daemon.service.d/own.conf"
    own.parent.mkdir()
    own.write_text("[Service]\nNice=5\n", encoding="utf-8")
    machine.broken.write_text("yes")
    assert machine.install("--start", "--drop-in", "jetson").returncode == 1
    assert [path.name for path in own.parent.iterdir()] == ["own.conf"]
    assert machine.release() == release
    assert machine.releases() == {release}


def test_uninstalling_leaves_configuration_and_state_and_nothing_else(machine: Machine) -> None:
    machine.installed("--drop-in", "jetson")
    spool = machine.root / "var/lib/edge-daemon/spool"
    spool.mkdir(parents=True)
    (spool / "frames").write_text("not delivered yet", encoding="utf-8")
    own = machine.units / "edge-cloud.service.d/own.conf"
    own.parent.mkdir()
    own.write_text("[Service]\nNice=5\n", encoding="utf-8")
    result = machine.run("install.sh", "--root", str(machine.root), "--uninstall")
    assert result.returncode == 0, result.stderr
    files = {path for path, facts in machine.tree().items() if facts[0] != "d"}
    assert files == {
        "etc/edge-daemon/edge-daemon.toml",
        "etc/systemd/system/edge-cloud.service.d/own.conf",
        "var/lib/edge-daemon/spool/frames",
    }
    result = machine.run("install.sh", "--root", str(machine.root), "--uninstall", "--purge")
    assert result.returncode == 0, result.stderr
    assert {path for path, facts in machine.tree().items() if facts[0] != "d"} == set()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--servise", "x"], "unknown option --servise"),
        (["--service"], "--service needs a value"),
        (["--service", "ssh"], "no such service: ssh"),
        (["--drop-in", "../x"], "no such drop-in: ../x"),
        (["--purge"], "--purge goes with --uninstall"),
        (["none.whl"], "no such wheel"),
    ],
)
def test_wrong_usage_is_named_and_changes_nothing(
    machine: Machine, options: list[str], problem: str
) -> None:
    result = machine.install(*options)
    assert result.returncode == 1
    assert problem in result.stderr
    assert machine.tree() == {}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_scripts_are_clean() -> None:
    scripts = [str(path) for path in sorted((ROOT / "deploy").glob("*.sh"))]
    result = subprocess.run(
        ["shellcheck", *scripts], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.stdout == ""
    assert result.returncode == 0
