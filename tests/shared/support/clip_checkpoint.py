"""Hugging Face CLIP checkpoints with random weights, as the published ones are laid out.

Needs torch and transformers; import it only from tests of `export`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.untrained import write_checkpoint

TINY_TEXT: dict[str, Any] = {
    "vocab_size": 1000,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "bos_token_id": 998,
    "eos_token_id": 999,
}
TINY_VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}


def make_checkpoint(
    directory: Path,
    *,
    text: dict[str, Any] | None = None,
    vision: dict[str, Any] | None = None,
    projection: int = 24,
    seed: int = 0,
) -> Path:
    """Write a checkpoint directory; tiny unless told otherwise.

    `text` and `vision` are added to the tiny configuration. The vocabulary has as many tokens as
    the text configuration says, the last two being start and end, as CLIP's.
    """
    return write_checkpoint(
        directory,
        text={**TINY_TEXT, **(text or {})},
        vision={**TINY_VISION, **(vision or {})},
        projection=projection,
        seed=seed,
    )


def edit_config(checkpoint: Path, section: str | None = None, **changes: Any) -> None:
    """Change fields of config.json, or of one of its sections."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    (config if section is None else config[section]).update(changes)
    path.write_text(json.dumps(config))
