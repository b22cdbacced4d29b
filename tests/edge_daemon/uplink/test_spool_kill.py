"""A process that is killed at any moment: what it said was kept is there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

from edge_daemon.uplink.spool import Content, Spool
from support import spool_checks, spool_writer
from support.spool_checks import content_of, spool_settings

ROUNDS = int(os.environ.get("SPOOL_KILL_ROUNDS", "6"))
LONGEST_ROUND_S = 0.4


def until_killed(directory: Path, first: int, seed: int, after_s: float) -> list[list[str]]:
    """What the program said before it was killed, so many seconds after it had opened."""
    paths = [str(Path(spool_checks.__file__).parents[1]), *sys.path]
    program = subprocess.Popen(
        [sys.executable, spool_writer.__file__, str(directory), str(first), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "open\n"
    timer = threading.Timer(after_s, program.kill)
    timer.start()
    said = program.stdout.read()
    timer.join()
    assert program.wait() == -9
    # A line that the kill cut short says nothing.
    return [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]


def test_nothing_that_was_said_to_be_kept_is_missing_after_a_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    expected: dict[int, tuple[str, int, int]] = {}
    first = 0
    for seed in range(ROUNDS):
        said = until_killed(tmp_path, first, seed, chance.uniform(0.0, LONGEST_ROUND_S))
        for kind, row, *rest in said:
            if kind == "stored":
                client, sequence, size = rest
                assert int(row) > max(expected, default=0)
                expected[int(row)] = (client, int(sequence), int(size))
            else:
                expected.pop(int(row), None)
        spool = Spool(spool_settings(tmp_path))
        records = {record.id: record for record in spool.records()}
        assert set(expected) <= set(records)
        assert list(records) == sorted(records)
        for row, (client, sequence, size) in expected.items():
            assert records[row].key == (client, sequence)
            assert spool.read(row) == Content(content_of((client, sequence), size), None)
        assert (spool.facts().quarantined, spool.facts().set_aside) == (0, 0)
        first = 1 + max((record.key[1] for record in records.values()), default=first)
        # Rows that were committed but not said, or whose delete was lost, count from now on.
        expected = {row: (*record.key, record.size) for row, record in records.items()}
        spool.delete(list(expected)[:-20])
        expected = dict(list(expected.items())[-20:])
        spool.close()
    assert expected
