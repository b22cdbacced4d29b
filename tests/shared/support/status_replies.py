"""A status reply with everything in it, as JSON has it."""

from __future__ import annotations

from typing import Any


def camera(frames: int, source: int, sent: int, queued: int = 0) -> dict[str, int]:
    """One camera's account."""
    return {
        "frames": frames,
        "source_bytes": source,
        "envelope_bytes": sent,
        "dropped": 1,
        "queued": queued,
    }


def link(upstream: str, *, up: bool, standby: bool = False) -> dict[str, Any]:
    """One upstream."""
    return {
        "transport": "zeromq",
        "upstream": upstream,
        "up": up,
        "standby": standby,
        "reconnects": 4,
    }


def full_status(**changes: Any) -> dict[str, Any]:
    """The reply, with some of its fields changed."""
    return {
        "version": 1,
        "kind": "status",
        "daemon_version": "1.2.3",
        "uptime_s": 100.0,
        "bundle": {"name": "tiny"},
        "codecs": ["jpeg"],
        "codec_problems": {"vvc": "no [libvvenc] here"},
        "limits": {"max_pixels": 50_000_000},
        "queues": {"waiting": 2, "in_work": 3},
        "counters": {"frames_done": 12},
        "budgets": {"gate": {"frames": 4.0, "within": 3.0, "mean_encodes": 2, "mean_share": 0.9}},
        "link": "up",
        "spool": {
            "bytes": 250_000,
            "limit_bytes": 1_000_000,
            "frames": 7,
            "oldest_age_s": 240.0,
            "directory": "/var/spool/edge",
        },
        "links": [
            link("tcp://[fe80::1]:1", up=True),
            link("tcp://other:1", up=False, standby=True),
        ],
        "cameras": {"gate": camera(10, 10_000, 1_000, queued=2), "yard": camera(2, 500, 600)},
        "latency_ms": {"codec": {"p50": 12.3, "p95": 45.6, "count": 10}},
        "drops": {"replaced": 5},
        "tiles": {"encoded": 40, "reused": 60},
        "temperatures_c": {"cpu-thermal": 51.25},
        "health": {},
    } | changes
