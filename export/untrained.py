"""`python -m export.untrained GEOMETRY -o DIR`: a CLIP checkpoint of a published size, untrained.

Speed, memory and parity do not depend on what a model has learnt, so they can be measured on any
machine without a download. What such a model finds relevant means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from tokenizers import pre_tokenizers

VOCABULARY = 49_408
CONTEXT = 77
TILE = 224
HEAD = 64
"""Width of every attention head."""
START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Geometry:
    """Widths and depths of the two towers, as published; MLPs are four times as wide."""

    patch: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    projection: int = 512


GEOMETRIES = {
    "vit-8m-16": Geometry(16, 256, 10, 256, 3),
    "vit-39m-16": Geometry(16, 512, 12, 512, 6),
    "vit-40m-32": Geometry(32, 512, 12, 512, 6),
    "vit-61m-32": Geometry(32, 640, 12, 512, 9),
    "vit-b-32": Geometry(32, 768, 12, 512, 12),
}
"""TinyCLIP's manually inherited models, and OpenAI's ViT-B/32."""


def make_untrained(directory: Path, geometry: Geometry, *, seed: int = 0) -> Path:
    """Write a checkpoint directory with random weights; returns it."""
    return write_checkpoint(
        directory,
        text=_tower(geometry.text_width, geometry.text_layers)
        | {
            "vocab_size": VOCABULARY,
            "max_position_embeddings": CONTEXT,
            "bos_token_id": VOCABULARY - 2,
            "eos_token_id": VOCABULARY - 1,
        },
        vision=_tower(geometry.vision_width, geometry.vision_layers)
        | {"image_size": TILE, "patch_size": geometry.patch},
        projection=geometry.projection,
        seed=seed,
    )


def _tower(width: int, layers: int) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // HEAD,
    }


def write_checkpoint(
    directory: Path,
    *,
    text: dict[str, Any],
    vision: dict[str, Any],
    projection: int,
    seed: int,
) -> Path:
    """Write config.json, model.safetensors, vocab.json and merges.txt of a random CLIPModel.

    Args:
        directory: Made if need be.
        text: `text_config` of the model.
        vision: `vision_config` of the model.
        projection: Components of an embedding.
        seed: Of the weights.
    """
    import torch  # noqa: PLC0415  (seconds; --help should not take them)
    import transformers as untyped  # noqa: PLC0415

    transformers: Any = untyped
    config = transformers.CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=projection
    )
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
    model = transformers.CLIPModel(config)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export.untrained", description=__doc__)
    parser.add_argument("geometry", choices=sorted(GEOMETRIES))
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    make_untrained(options.output, GEOMETRIES[options.geometry])
    return 0


if __name__ == "__main__":
    sys.exit(main())
