"""Kill -9 at random moments: what was acknowledged is in the cloud's log, once.

100 times, or as often as the environment's CRASH_ROUNDS says.
"""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest

from edge_daemon.bench.soak.account import Ledger, balance, logged
from edge_daemon.bench.soak.cameras import Camera, pictures
from edge_daemon.bench.soak.rig import Rig, Role
from support.forked import start_forked

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "100"))
RULES = '[[cameras]]\nmatch = "*"\nwhen_full = "refuse-new"\n'
PATIENCE_S = 60.0


@pytest.mark.timeout(200 + 2 * ROUNDS)
def test_kill_9_of_daemon_and_cloud_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(5)
    ledger = Ledger()
    rig = Rig(tmp_path, start=start_forked, extra=RULES)
    roles: tuple[Role, Role] = ("serve", "cloud")
    try:
        for role in roles:
            rig.start(role)
        files = pictures(0)
        cameras = [
            Camera(rig.endpoint, name, files, prompt, ledger, pause_s=0.01)
            for name, prompt in (("gate", ""), ("yard", ""), ("asked", "Is there a dog?"))
        ]
        for camera in cameras:
            camera.start()
        for _ in range(ROUNDS):
            # Long enough to come up and get through a few frames, or too short for that.
            time.sleep(chance.uniform(0.02, 0.6))
            role = chance.choice(roles)
            rig.kill(role)
            rig.start(role)
        for camera in cameras:
            camera.stop()
        for camera in cameras:
            camera.join(PATIENCE_S)
        rig.settle(PATIENCE_S)
    finally:
        rig.close()
    account = balance(ledger, logged(rig.log))
    assert account.lost == frozenset()
    assert (account.duplicated, account.strangers, account.unordered) == (0, 0, 0)
    # It was a trial: frames went through in spite of all, and some waited for the next life.
    assert sum(rig.starts.values()) == ROUNDS + 2
    # How many is the machine's affair: on a slow one, most lives end before they are up.
    assert account.acknowledged > ROUNDS // 10
    daemon_log = rig.log_of("serve").read_text("utf-8")
    assert re.search(r"event=backlog_found envelopes=[1-9]", daemon_log)
    assert "event=defect" not in daemon_log
    assert "event=defect" not in rig.log_of("cloud").read_text("utf-8")
