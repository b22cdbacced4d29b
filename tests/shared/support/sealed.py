"""Envelopes that a cloud takes, and what it wrote down of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_daemon.codecs import get_codec
from edge_daemon.wire import Key, SemanticFacts, pack_envelope, seal


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
    return [(line["client"], line["sequence"]) for line in lines_of(directory)]


def sealed_text(
    sequence: int,
    text: str | bytes = "A red bicycle leans on a wall.",
    client: str = "cam",
    *,
    scores: tuple[float, float | None] = (0.2, None),
    pixels_kept: bool = True,
    **changes: Any,
) -> bytes:
    """The envelope of a text in the place of a picture of 16x12 pixels.

    Args:
        sequence: Of the frame.
        text: Sent as UTF-8; or another bitstream, whose `codec` has to be among the changes.
        client: Of the frame.
        scores: Cosines of text and drawing with the picture.
        pixels_kept: Whether the picture can be had.
        **changes: Of the header.
    """
    facts: dict[str, Any] = {
        "client": client,
        "sequence": sequence,
        "mode": "semantic",
        "prompts": ["Where is the bicycle?"],
        "codec": {"id": "text"},
        "width": 16,
        "height": 12,
        "source_bytes": 1,
        "relevance": None,
        "semantic": SemanticFacts(
            critic="tiny",
            notice="knows colours, not things",
            refiner="phrases",
            text_score=scores[0],
            image_score=scores[1],
            pixels_kept=pixels_kept,
        ),
        "timings_ms": {},
    }
    bitstream = text.encode("utf-8") if isinstance(text, str) else text
    return pack_envelope(seal(bitstream, **facts | changes))


def lines_of(directory: Path, journal: str = "log.jsonl") -> list[dict[str, Any]]:
    """The lines of a cloud's log, or of another journal; none if it is not there yet."""
    file = directory / journal
    return (
        [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    )
