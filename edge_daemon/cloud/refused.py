"""What can never be kept, set aside so that it is not lost.

For ways to the cloud on which nobody waits for an answer. Each envelope lies as it came in
`refused/` below the cloud's directory, with a JSON file beside it that says why and whence.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

from edge_daemon.errors import EdgeError, StorageError

FOLDER = "refused"


def set_aside(
    directory: Path, name: str, payload: bytes, error: EdgeError, facts: dict[str, object]
) -> Path:
    """Writes an envelope and the reason against it; both are on the disk after it.

    Args:
        directory: The cloud's.
        name: Of the files, without a suffix; one that is there already is replaced.
        payload: The envelope as it came.
        error: Why it was refused.
        facts: More that is known of it.

    Returns:
        The envelope's file.

    Raises:
        StorageError: They could not be written.
    """
    folder = directory / FOLDER
    reason = {
        "refused": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        **facts,
        **error.to_dict(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{name}.json", json.dumps(reason, indent=2).encode("utf-8"))
        _write(folder / f"{name}.edge", payload)
    except OSError as mistake:
        raise StorageError(
            f"cannot set aside what is refused: {mistake.strerror or mistake}",
            value=str(folder),
            remedy="make room or correct the permissions",
            retry_after_s=5.0,
        ) from mistake
    return folder / f"{name}.edge"


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
