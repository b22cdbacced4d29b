"""What a first download brought, written down so that a later one has to bring the same."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from models.disk import sync_directory
from models.errors import BundleError
from models.manifest import FileFacts


class Pins(BaseModel):
    """The record of one model: commits by repository, and the facts of every file by its name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    revisions: dict[str, str] = {}
    files: dict[str, FileFacts] = {}


def read_pins(path: Path) -> Pins:
    """The record in a file; empty if there is none.

    Raises:
        BundleError: It cannot be read.
    """
    try:
        return Pins.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Pins()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise BundleError(
            f"cannot read what the first pull brought ({reason})",
            file=path,
            remedy="restore the file, or pull with --repin to accept what comes now",
        ) from error


def write_pins(path: Path, pins: Pins) -> None:
    """Replace the record, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(pins.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)
