"""Which loader reads a checkpoint: by the `model_type` in `config.json`, or because it is a `.pt`.

A directory with a manifest is a bundle; those of nano-icons can be read back.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from export.errors import ExportError
from export.open_clip.activation import Activation
from export.towers import Towers
from models.manifest import MANIFEST_FILE

_LOADERS = {
    "clip": "export.hf_clip:load_clip",
    "nano-icons": "export.nano.checkpoint:load_nano",
}
"""Model type to the function that reads it; imported when needed, as each brings its own weight."""

_NANO_BUNDLE = "export.nano.restore:restore_nano"
_OPEN_CLIP = ".pt"


def load_towers(
    checkpoint: Path, *, tokenizer: Path | None = None, activation: Activation | None = None
) -> Towers:
    """Read a checkpoint, or a bundle of nano-icons.

    Args:
        checkpoint: A directory with `config.json`; a `.pt` file in open_clip's layout, or a
            directory with one such file and no `config.json`; or a bundle's directory.
        tokenizer: For a `.pt` file: a tokenizer's file or directory, if there is none beside it.
        activation: For a `.pt` file: the function in its MLPs, if its layout does not tell.

    Raises:
        ExportError: It is no such checkpoint, of no known kind, or damaged.
    """
    file = _open_clip_file(checkpoint)
    if file is not None:
        # Not above: transformers takes seconds.
        from export.open_clip.load import load_open_clip  # noqa: PLC0415

        return load_open_clip(file, tokenizer=tokenizer, activation=activation)
    module, function = _loader(checkpoint).split(":")
    if tokenizer is not None or activation is not None:
        raise ExportError(
            "has its tokenizer and its activation in its own files",
            file=checkpoint,
            remedy=f"leave out --tokenizer and --activation, which are for {_OPEN_CLIP} files",
        )
    load: Callable[[Path], Towers] = getattr(importlib.import_module(module), function)
    return load(checkpoint)


def _open_clip_file(checkpoint: Path) -> Path | None:
    """The `.pt` file that a checkpoint is, or that its directory stands for."""
    if not checkpoint.is_dir():
        if checkpoint.suffix == _OPEN_CLIP:
            return checkpoint
        if checkpoint.is_file():
            raise ExportError(
                f"is a file that does not end in {_OPEN_CLIP}",
                file=checkpoint,
                remedy="name a checkpoint's directory, or a file in open_clip's layout",
            )
        return None
    files = sorted(checkpoint.glob(f"*{_OPEN_CLIP}"))
    if not files or any((checkpoint / name).is_file() for name in (MANIFEST_FILE, "config.json")):
        return None
    if len(files) > 1:
        raise ExportError(
            f"holds {len(files)} checkpoints, such as {files[0].name} and {files[1].name}",
            file=checkpoint,
            remedy=f"name one of the {_OPEN_CLIP} files",
        )
    return files[0]


def _loader(directory: Path) -> str:
    """The module and the function that read a directory."""
    if (directory / MANIFEST_FILE).is_file():
        return _NANO_BUNDLE
    kind = read_json(directory, "config.json").get("model_type")
    if kind not in _LOADERS:
        raise ExportError(
            f"model_type {kind!r}, but only {', '.join(map(repr, _LOADERS))} can be exported",
            file=directory / "config.json",
            remedy="name the directory of a CLIPModel checkpoint as Hugging Face lays it out",
        )
    return _LOADERS[kind]


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
