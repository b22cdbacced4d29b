"""A vocabulary's embeddings on disk: they take a large encoder half a minute, and never change.

A file is named after everything that decides its content, so nothing ever has to be kept in step.
Whatever is wrong with one, or with the disk, costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

CACHE_VARIABLE: Final = "EDGE_DAEMON_CACHE"
"""The environment variable that names the directory."""

_KEPT: Final = 8
"""Files that are kept, of some 2 MB each: bundles and vocabularies that are in use together."""


def cache_directory() -> Path:
    """Where embeddings are kept; it need not exist.

    `$EDGE_DAEMON_CACHE`; else what systemd gives a service (`$CACHE_DIRECTORY`); else
    `edge-daemon` in the user's cache directory (`$XDG_CACHE_HOME`, by default `~/.cache`).
    """
    if named := os.environ.get(CACHE_VARIABLE) or os.environ.get("CACHE_DIRECTORY"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edge-daemon"


def remembered(
    encoder: str, size: int, texts: Sequence[str], embed: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Embeddings of texts, from the disk if they are there.

    Args:
        encoder: Identity of what embeds, down to its weights.
        size: Components of an embedding.
        texts: Each one row.
        embed: Computes float32 (len(texts), size), rows of unit length.
    """
    # No text has a line break, so they cannot run into each other.
    identity = hashlib.sha256("\n".join((encoder, *texts)).encode("utf-8")).hexdigest()
    file = cache_directory() / f"vocabulary-{identity}.npy"
    found = _read(file, (len(texts), size))
    if found is None:
        found = embed()
        _write(file, found)
    return found


def _read(file: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        rows = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as mistake:
        _log.warning("event=embeddings_unreadable file=%s error=%r", file, str(mistake))
        return None
    # NaN is no unit length either.
    units = rows.shape == shape and np.abs(np.linalg.norm(rows, axis=1) - 1.0).max(initial=0) < 1e-3
    if rows.dtype != np.float32 or not units:
        _log.warning("event=embeddings_unreadable file=%s error='not those'", file)
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # those used last are kept
    return rows


def _write(file: Path, rows: NDArray[np.float32]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as unfinished:
            path = Path(unfinished.name)
            try:
                np.save(unfinished, rows)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        path.replace(file)
        others = sorted(file.parent.glob("vocabulary-*.npy"), key=lambda one: one.stat().st_mtime)
        for old in others[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as mistake:
        _log.info("event=embeddings_not_kept file=%s error=%r", file, str(mistake))
