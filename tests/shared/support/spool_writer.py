"""A program to kill: puts envelopes into a spool for ever, and says what was committed.

Usage: `spool_writer.py DIRECTORY FIRST_SEQUENCE SEED`. It writes one line per envelope, only
once the spool said that it is kept: `stored ID CLIENT SEQUENCE SIZE`; before one is deleted
`deleting ID`; before the first, `open`.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from edge_daemon.uplink.spool import Entry, Spool
from support.spool_checks import SURE, content_of, spool_settings, stored


def main(directory: str, first: str, seed: str) -> None:
    chance = random.Random(int(seed))
    spool = Spool(spool_settings(Path(directory)))
    print("open", flush=True)
    sequence = int(first)
    while True:
        keys = [(f"cam{chance.randrange(3)}", sequence + at) for at in range(chance.randint(1, 4))]
        sequence += len(keys)
        sizes = [chance.choice([200, 5000, 30_000, 200_000]) for _ in keys]
        entries = [
            Entry(key, content_of(key, size), None, SURE)
            for key, size in zip(keys, sizes, strict=True)
        ]
        for result in map(stored, spool.put(entries)):
            record = result.record
            client, number = record.key
            print(f"stored {record.id} {client} {number} {record.size}", flush=True)
        if chance.random() < 0.4:
            row = chance.choice(spool.records()).id
            print(f"deleting {row}", flush=True)
            spool.delete([row])


if __name__ == "__main__":
    main(*sys.argv[1:])
