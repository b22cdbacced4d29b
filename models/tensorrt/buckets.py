"""How many tiles an engine takes at once: one of a few sizes, so that nothing about a run varies.

Each bucket is an optimisation profile of its own with least, usual and most rows all equal. A
single profile from 1 to 40 would be tuned for its usual size only and would run every other size
with those kernels; and only where shapes are fixed can a run be replayed as one CUDA graph. What it
costs is building time, which the timing cache gives back in part.
"""

from __future__ import annotations

from typing import Final

BUCKETS: Final = (8, 16, 24, 40)
"""Rows per run, ascending. 24 is the tile budget of the published method; 40 takes what the default
mode makes of the largest pictures, or two small ones; 8 and 16 are for few tiles that changed."""


def bucket_for(rows: int) -> int:
    """The smallest bucket that holds so many rows.

    Raises:
        ValueError: None does.
    """
    for bucket in BUCKETS:
        if rows <= bucket:
            return bucket
    raise ValueError(f"a run takes at most {BUCKETS[-1]} rows, got {rows}")
