"""Envelopes that a cloud takes, and what it wrote down of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_daemon.codecs import get_codec
from edge_daemon.wire import Key, pack_envelope, seal


def sealed(sequence: int, client: str = "cam", *, grey: int = 90, **changes: Any) -> bytes:
    """The envelope of a small grey picture."""
    maker = get_codec({"id": "jpeg"})
    facts: dict[str, Any] = {
        "client": client,
        "sequence": sequence,
        "mode": "plain",
        "prompts": [""],
        "codec": maker.get_config(),
        "width": 16,
        "height": 16,
        "source_bytes": 1,
        "relevance": None,
        "timings_ms": {},
    }
    picture = np.full((16, 16, 3), grey, np.uint8)
    return pack_envelope(seal(maker.encode(picture), **facts | changes))


def logged(directory: Path) -> list[Key]:
    """What a cloud's log holds, in its order."""
    lines = (directory / "log.jsonl").read_text("utf-8").splitlines()
    return [(entry["client"], entry["sequence"]) for entry in map(json.loads, lines)]
