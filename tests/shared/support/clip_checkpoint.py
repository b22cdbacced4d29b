"""Hugging Face CLIP checkpoints with random weights, as the published ones are laid out.

Needs torch and transformers; import it only from tests of `export`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
import transformers
from tokenizers import pre_tokenizers

START, END = "<|startoftext|>", "<|endoftext|>"

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
    """Write config.json, model.safetensors, vocab.json and merges.txt; tiny unless told otherwise.

    `text` and `vision` are added to the tiny configuration. The vocabulary has as many tokens as
    the text configuration says, the last two being start and end, as CLIP's.
    """
    config: Any = transformers.CLIPConfig(
        text_config={**TINY_TEXT, **(text or {})},
        vision_config={**TINY_VISION, **(vision or {})},
        projection_dim=projection,
    )
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
    model: Any = transformers.CLIPModel(config)
    with torch.no_grad():
        # Freshly made layers are nearly linear; larger weights make a wrong activation visible.
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(2.0)
    model.save_pretrained(directory)
    write_vocabulary(directory, config.text_config.vocab_size)
    return directory


def write_vocabulary(directory: Path, size: int) -> None:
    """A byte-level BPE of `size` tokens whose merges make up runs of letters."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(islice(_merges(), size - 2 * len(alphabet) - 2))
    tokens = [*alphabet, *(c + "</w>" for c in alphabet), *(a + b for a, b in merges), START, END]
    assert len(tokens) == len(set(tokens)) == size
    (directory / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (directory / "merges.txt").write_text("\n".join(lines) + "\n")


def _merges() -> Iterator[tuple[str, str]]:
    """Pairs of letters, then those with a third, each within a word and at its end."""
    letters = ascii_lowercase
    for a, b in product(letters, letters):
        yield a, b
        yield a, b + "</w>"
    for a, b, c in product(letters, letters, letters):
        yield a + b, c
        yield a + b, c + "</w>"
    for a, b, c, d in product(letters, letters, letters, letters):
        yield a + b + c, d


def edit_config(checkpoint: Path, section: str | None = None, **changes: Any) -> None:
    """Change fields of config.json, or of one of its sections."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    (config if section is None else config[section]).update(changes)
    path.write_text(json.dumps(config))
