"""Which loader reads a checkpoint directory, by the `model_type` in its `config.json`.

A directory with a manifest is a bundle; those of nano-icons can be read back.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from export.errors import ExportError
from export.towers import Towers
from models.manifest import MANIFEST_FILE

_LOADERS = {
    "clip": "export.hf_clip:load_clip",
    "nano-icons": "export.nano.checkpoint:load_nano",
}
"""Model type to the function that reads it; imported when needed, as each brings its own weight."""


def load_towers(checkpoint: Path) -> Towers:
    """Read a checkpoint directory, or a bundle of nano-icons.

    Raises:
        ExportError: It is no such directory, of no known kind, or damaged.
    """
    if (checkpoint / MANIFEST_FILE).is_file():
        return _loader("export.nano.restore:restore_nano")(checkpoint)
    config = read_json(checkpoint, "config.json")
    kind = config.get("model_type")
    if kind not in _LOADERS:
        raise ExportError(
            f"model_type {kind!r}, but only {', '.join(map(repr, _LOADERS))} can be exported",
            file=checkpoint / "config.json",
            remedy="name the directory of a CLIPModel checkpoint as Hugging Face lays it out",
        )
    return _loader(_LOADERS[kind])(checkpoint)


def _loader(place: str) -> Callable[[Path], Towers]:
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)


def read_json(checkpoint: Path, name: str) -> dict[str, Any]:
    """A JSON object in a checkpoint directory.

    Raises:
        ExportError: The file is absent, unreadable or no JSON object.
    """
    path = checkpoint / name
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(
            f"cannot read it ({error.strerror})",
            file=path,
            remedy="name a complete checkpoint directory",
        ) from error
    except ValueError as error:
        raise ExportError(
            f"not JSON ({error})", file=path, remedy="copy or download the checkpoint again"
        ) from error
    if not isinstance(content, dict):
        raise ExportError(
            f"holds a JSON {type(content).__name__}, not an object",
            file=path,
            remedy="copy or download the checkpoint again",
        )
    return cast("dict[str, Any]", content)
