"""Envelopes that wait for the cloud, on a disk that may fill, tear or lose its power.

## Design constraints

What is here
 1. One directory belongs to one daemon (`spool.lock`, an flock). It holds the SQLite database
    `spool.sqlite` with its `-wal`, a `ballast` file, and what was set aside under `quarantine/`.
    Without a directory the same code keeps a database in memory.
 2. One envelope is one row of one table, complete in itself: id, key, rules, times, sizes, two
    CRC-32 and the bytes. One check covers the small fields, the other the bytes. So whatever
    becomes of the database around it, a row can be found and proven by itself.
 3. Ids rise and are never given twice. Keys (client, sequence) are unique: of two puts under one
    key the first counts.

Writing
 4. Committed means synced: WAL, `synchronous=FULL`. Whatever waits when a commit begins shares it.
 5. A write is one transaction with everything it needs, the rows that give way included. It
    happens as a whole or not at all, in memory too.
 6. The WAL is folded into the database every 2 MiB. It grows beyond that by one commit (4 MiB, or
    one larger envelope), and is cut back to 4 MiB then. Every byte is thus written twice, with
    some pages beside: 2.1 times the bytes for envelopes of 300 KB, 2.8 for 30 KB, 6 for 5 KB.

Reading
 7. A list of what waits is kept in memory (some 750 bytes per row), so only `read` touches rows.
 8. Nothing leaves unproven. A row that fails its check is written to `quarantine/`, deleted,
    logged and counted.

Deleting
 9. A delete counts at once in memory and goes to the disk with the next commit, or soon. A crash
    in between undoes deletes, never puts: the cloud sees a repeat.
10. Bounds: `max_bytes` of envelopes, each counted with a fixed overhead. When a new envelope finds
    no room, live rows ('drop-oldest') give way, each time the oldest of the client whose live rows
    hold the most bytes. Rows under way and must-deliver rows ('refuse-new') never do. If that is
    not enough, nothing gives way and the new envelope is refused.
11. Live rows older than `max_age_s` are dropped. Age is counted on a clock of the spool's own that
    advances with the time since boot, whatever the wall clock says. Across a reboot it advances
    with the wall clock, if that moved forward by no more than `max_age_s`; else it stands still.
12. Space of deleted rows is used again, and given back when more than half of the file is empty.

When things break
13. Full disk, read-only disk, failing write: the transaction is undone, each of its envelopes is
    answered with `StorageError`, and everything works again when the disk does. A ballast (up to
    16 MiB) is kept back, because folding the WAL in may need room and deletes always need some: it
    is given up while that is done, and laid down again at once. Puts get none of it, but go on as
    far as deleted rows leave room in the file. What was set aside goes before the ballast does.
14. Damage, found by the check at open or by any statement: the rows that prove themselves are
    copied into a new database, must-deliver rows first and ids kept. Only when that is complete
    and synced is the damaged one moved to `quarantine/<UTC time>-<number>/`, so a crash meanwhile
    loses nothing. Rows are looked for page by page in the file, without trust in SQLite's tree. If
    the free list is damaged too, rows that were deleted may come back.
15. A WAL with a damaged frame in its middle: SQLite ends there; puts behind it are taken from the
    frames themselves, as far as they prove themselves.
16. What is set aside is bounded by `max_bytes`, the oldest removed first; the latest is kept.
    `-unsalvaged` at its name says that the disk was full before all rows were copied.
17. A database of a later version is refused and left as it is.

What this is a guarantee of
 a. What `put` returned as stored is there after a crash, a kill and a power cut, if the disk keeps
    what it said it had synced, until it is deleted or gives way by the rules above.
 b. What `read` returns are the bytes that were put under that id.
 c. Rows keep their order.
 d. A must-deliver row goes only by `delete`, or with the damage that hit it.
 e. Opening succeeds whatever is in the files, if the directory can be used.

What it is not a guarantee of
 a. Exactly once: deletes may be lost, so envelopes may be sent again.
 b. A disk that lies about syncing, or damage to a row itself (other rows survive it).
 c. Age across reboots when the wall clock is wrong: then envelopes are rather kept too long.
 d. Secrecy: envelopes lie there in the clear, readable by the daemon's user alone (0700, 0600).
"""

from edge_daemon.uplink.spool.clock import Clocks
from edge_daemon.uplink.spool.records import Content, Entry, Facts, Record, Stored
from edge_daemon.uplink.spool.store import Spool
from edge_daemon.uplink.spool.thread import SpoolThread

__all__ = [
    "Clocks",
    "Content",
    "Entry",
    "Facts",
    "Record",
    "Spool",
    "SpoolThread",
    "Stored",
]
