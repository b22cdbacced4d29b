"""Kill -9 while texts are sent and pictures are wanted instead: each frame is in the log once.

Six times, or a sixteenth of what the environment's CRASH_ROUNDS says.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from edge_daemon.bench.soak.account import Ledger, balance, logged
from edge_daemon.bench.soak.cameras import Camera, pictures
from edge_daemon.bench.soak.rig import Rig, Role
from support.forked import start_forked
from support.waiting import wait_until

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "100")) // 16
SETTINGS = """
[[cameras]]
match = "*"
when_full = "refuse-new"

[semantic]
iterations = 1

[cloud.semantic]
escalate_text_below = 0.25
"""
"""A bound that some of the texts keep and some do not."""
PATIENCE_S = 60.0


def one_more(ledger: Ledger) -> None:
    """Until another frame is acknowledged, however slow the machine is."""
    before = len(ledger.copy()[1])
    wait_until(lambda: len(ledger.copy()[1]) > before, PATIENCE_S)


@pytest.mark.timeout(200 + 10 * ROUNDS)
def test_a_frame_ends_as_a_text_or_as_a_picture_whatever_is_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    ledger = Ledger()
    rig = Rig(tmp_path, start=start_forked, extra=SETTINGS)
    roles: tuple[Role, Role] = ("serve", "cloud")
    try:
        for role in roles:
            rig.start(role)
        camera = Camera(
            rig.endpoint,
            "words",
            pictures(3),
            "Is there a dog?",
            ledger,
            pause_s=0.01,
            mode="semantic",
        )
        camera.start()
        for _ in range(ROUNDS):
            one_more(ledger)
            time.sleep(chance.uniform(0.0, 0.6))
            role = chance.choice(roles)
            rig.kill(role)
            rig.start(role)
        camera.stop()
        camera.join(PATIENCE_S)
        rig.settle(PATIENCE_S)
    finally:
        rig.close()
    account = balance(ledger, logged(rig.log))
    assert account.lost == frozenset()
    assert (account.duplicated, account.strangers) == (0, 0)
    lines = [json.loads(line) for line in rig.log.read_text("utf-8").splitlines()]
    kept = ["picture" if "picture" in line else "text" for line in lines]
    # It was a trial: there was something of both.
    assert set(kept) == {"picture", "text"}
    for line, kind in zip(lines, kept, strict=True):
        assert (rig.log.parent / line[kind]).stat().st_size > 0
        assert (line["mode"] == "semantic") == (kind == "text")
        if kind == "text":
            assert line["semantic"]["text_score"] >= 0.25 or not line["semantic"]["pixels_kept"]
    assert "event=envelope_escalated" in rig.log_of("serve").read_text("utf-8")
    assert "event=defect" not in rig.log_of("serve").read_text("utf-8")
    assert "event=defect" not in rig.log_of("cloud").read_text("utf-8")
