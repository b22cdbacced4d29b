"""`make soak`: three cameras, a flaky link and random kills for a stated time, then the account."""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from edge_daemon.bench.soak.account import Account, Ledger, balance, logged, memory_slope
from edge_daemon.bench.soak.cameras import Camera, pictures
from edge_daemon.bench.soak.rig import Rig, Role, resident_mib

CAMERAS = (
    ("gate", "Where is the bicycle?", 1.0),
    ("yard", "Is there a dog?", 1.5),
    ("must", "", 2.0),
)
"""Name, prompt, and mean seconds between frames."""
RULES = """
[[cameras]]
match = "must"
when_full = "refuse-new"
"""
DRAIN_S = 300.0


class Chaos:
    """What befalls the rig, at random moments.

    Args:
        rig: To be maltreated.
        seed: Of the moments and the choices.
        kill_s: Mean seconds between kills.
        cut_s: Mean seconds between cuts of the link.
    """

    def __init__(self, rig: Rig, *, seed: int, kill_s: float, cut_s: float) -> None:
        self._rig = rig
        self._random = random.Random(seed)
        self._kill_s = kill_s
        self._cut_s = cut_s
        self._kill_at = self._later(kill_s)
        self._cut_at = self._later(cut_s)
        self._heal_at = float("inf")
        self.kills: dict[Role, int] = {"serve": 0, "cloud": 0}
        self.stops = self.cuts = 0
        self.crashes: list[str] = []

    def act(self) -> None:
        """Does what is due."""
        now = time.monotonic()
        for role in ("serve", "cloud"):
            code = self._rig.ended(role)
            if code is not None:
                self.crashes.append(f"{role} ended by itself with code {code}")
                self._rig.start(role)
        if now >= self._kill_at:
            self._kill_at = self._later(self._kill_s)
            role: Role = self._random.choice(("serve", "cloud"))
            if self._random.random() < 0.2:
                code = self._rig.stop(role)
                self.stops += 1
                if code != 0:
                    self.crashes.append(f"{role} stopped with code {code}")
            else:
                self._rig.kill(role)
                self.kills[role] += 1
            self._rig.start(role)
        if now >= self._cut_at:
            self._cut_at, self._heal_at = float("inf"), now + self._random.uniform(1.0, 20.0)
            self._random.choice((self._rig.proxy.cut, self._rig.proxy.mute, self._rig.proxy.hold))()
            self.cuts += 1
        if now >= self._heal_at:
            self.end()
            self._cut_at = self._later(self._cut_s)

    def end(self) -> None:
        """Heals the link."""
        self._rig.proxy.heal()
        self._heal_at = float("inf")

    def _later(self, mean_s: float) -> float:
        return time.monotonic() + self._random.uniform(0.3, 1.7) * mean_s


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long cameras send.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Of the kills and cuts.")] = 1,
    kill_s: Annotated[float, typer.Option(min=1.0, help="Mean seconds between kills.")] = 60.0,
    cut_s: Annotated[float, typer.Option(min=1.0, help="Mean seconds between cuts.")] = 40.0,
    keep: Annotated[Path | None, typer.Option(help="Keep logs and spool in this folder.")] = None,
) -> None:
    """Send for a while under random kills and cuts, then print what became of every frame."""
    with tempfile.TemporaryDirectory(prefix="edge-soak-") as scratch:
        directory = keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        rig = Rig(directory, extra=RULES)
        try:
            account, table = soak(rig, 60.0 * minutes, seed=seed, kill_s=kill_s, cut_s=cut_s)
        finally:
            rig.close()
    Console().print(table)
    for key in sorted(account.lost):
        Console(stderr=True).print(f"[red]lost: {key}[/]")
    raise typer.Exit(0 if account.whole else 1)


def soak(
    rig: Rig, seconds: float, *, seed: int, kill_s: float, cut_s: float
) -> tuple[Account, Table]:
    """Runs everything; returns the account, and a table of it."""
    ledger = Ledger()
    rig.start("cloud")
    rig.start("serve")
    cameras = [
        Camera(rig.endpoint, name, pictures(number), prompt, ledger, pause_s=pause_s)
        for number, (name, prompt, pause_s) in enumerate(CAMERAS)
    ]
    for camera in cameras:
        camera.start()
    chaos = Chaos(rig, seed=seed, kill_s=kill_s, cut_s=cut_s)
    lives: dict[int, list[tuple[float, float]]] = {}
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("sending", total=seconds)
        while (elapsed := time.monotonic() - begun) < seconds:
            chaos.act()
            pid = rig.pid("serve")
            memory = None if pid is None else resident_mib(pid)
            if pid is not None and memory is not None:
                lives.setdefault(pid, []).append((time.monotonic() - rig.begun["serve"], memory))
            progress.update(task, completed=elapsed)
            time.sleep(0.25)
    chaos.end()
    for camera in cameras:
        camera.stop()
    for camera in cameras:
        camera.join()
    rig.settle(DRAIN_S)
    account = replace(balance(ledger, logged(rig.log)), crashes=len(chaos.crashes))
    return account, _table(account, ledger, chaos, list(lives.values()), seconds)


def _table(
    account: Account,
    ledger: Ledger,
    chaos: Chaos,
    lives: list[list[tuple[float, float]]],
    seconds: float,
) -> Table:
    table = Table(
        title=f"{len(CAMERAS)} cameras for {seconds / 60:.1f} min",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
    )
    slope = memory_slope(lives)
    highest = max((memory for life in lives for _, memory in life), default=0.0)
    rows: dict[str, object] = {
        "frames sent": account.sent,
        "times that frames were sent": account.attempts,
        "acknowledged as spooled, frames": account.acknowledged,
        "delivered, frames in the cloud's log": account.delivered,
        "duplicated, frames": account.duplicated,
        "lost, acknowledged frames": len(account.lost),
        "out of their camera's order, frames": account.unordered,
        "never sent, yet in the log, frames": account.strangers,
        "kill -9 of the daemon": chaos.kills["serve"],
        "kill -9 of the cloud": chaos.kills["cloud"],
        "stops by SIGTERM": chaos.stops,
        "cuts of the link": chaos.cuts,
        "ends that nobody asked for": ", ".join(chaos.crashes) or "none",
        "errors answered": ", ".join(f"{n} {code}" for code, n in ledger.errors.items()) or "none",
        "daemon's memory, highest, MiB": f"{highest:.0f}",
        "daemon's memory, slope, MiB per hour": "too short" if slope is None else f"{slope:+.1f}",
    }
    for name, value in rows.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


if __name__ == "__main__":
    typer.run(main)
