"""A trained nano-icons model on disk, and how the export door reads it.

A directory of `config.json` (shapes and everything the manifest says), `model.safetensors` (names
begin with `image.` or `text.`) and `tokenizer.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors import torch as _safetensors
from tokenizers import Tokenizer
from torch import Tensor

from export.errors import ExportError
from export.loaders import read_json
from export.nano.dense import dense_tower
from export.nano.model import MEAN, STD, TILE_SIZE, ImageTower, TextTower
from export.nano.text import END, PAD, token_id
from export.towers import TowerFacts, Towers
from models.manifest import Recommended

# Its functions take paths of a type that its stubs leave open; this keeps that from spreading.
safetensors: Any = _safetensors

MODEL_TYPE = "nano-icons"
NOTICE = "nano-icons knows icons, not photographs"
LICENCE = "Apache-2.0"
SOURCE = "trained by `python -m export.nano`"

_WEIGHTS = "model.safetensors"
_AGAIN = "train it again with `python -m export.nano`"


class _Config(BaseModel):
    """The content of `config.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_type: str
    embedding: int
    inner: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    vocabulary: int
    context: int
    text_width: int
    text_layers: int
    text_heads: int
    recommended: Recommended
    training: dict[str, JsonValue]
    accuracy: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Trained:
    """What training leaves behind.

    Attributes:
        image: The image tower.
        text: The text tower.
        tokenizer: With its start and end tokens.
        config: As in `config.json`.
    """

    image: ImageTower
    text: TextTower
    tokenizer: Tokenizer
    config: _Config


def describe(
    image: ImageTower,
    text: TextTower,
    *,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    recommended: Recommended,
    training: dict[str, JsonValue],
) -> _Config:
    """The configuration of two trained towers; what the towers know is read off them."""
    vocabulary, width = text.words.weight.shape
    return _Config(
        model_type=MODEL_TYPE,
        embedding=image.head.out_features,
        inner=image.reduction.shape[0],
        widths=widths,
        blocks=blocks,
        vocabulary=vocabulary,
        context=text.places.shape[0],
        text_width=width,
        text_layers=len(text.layers),
        text_heads=text.heads,
        recommended=recommended,
        training=training,
    )


def save(trained: Trained, directory: Path) -> None:
    """Write a checkpoint directory; what is there is replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{part}.{name}": value.contiguous()
        for part, tower in (("image", trained.image), ("text", trained.text))
        for name, value in tower.state_dict().items()
    }
    safetensors.save_file(weights, directory / _WEIGHTS)
    trained.tokenizer.save(str(directory / "tokenizer.json"))
    _write_config(trained.config, directory)


def record_accuracy(directory: Path, accuracy: dict[str, JsonValue]) -> None:
    """Write measured figures into a checkpoint's configuration."""
    config = _read_config(directory)
    _write_config(config.model_copy(update={"accuracy": accuracy}), directory)


def _write_config(config: _Config, directory: Path) -> None:
    text = json.dumps(config.model_dump(mode="json", by_alias=True), indent=1) + "\n"
    (directory / "config.json").write_text(text, encoding="utf-8")


def _read_config(directory: Path) -> _Config:
    try:
        return _Config.model_validate(read_json(directory, "config.json"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ExportError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            file=directory / "config.json",
            remedy=_AGAIN,
        ) from error


def load_nano(checkpoint: Path) -> Towers:
    """Read a checkpoint directory for the export door.

    Raises:
        ExportError: A file is missing, damaged, or contradicts another.
    """
    config = _read_config(checkpoint)
    tokenizer_json = _read_tokenizer(checkpoint)
    tokenizer = Tokenizer.from_str(tokenizer_json)
    pad, end = token_id(tokenizer, PAD), token_id(tokenizer, END)
    image = ImageTower(config.inner, config.widths, config.blocks, config.embedding)
    text = TextTower(
        config.vocabulary,
        config.context,
        pad,
        width=config.text_width,
        layers=config.text_layers,
        heads=config.text_heads,
        embedding=config.embedding,
    )
    _load_weights(checkpoint / _WEIGHTS, image, text)
    millions = [sum(one.numel() for one in tower.parameters()) / 1e6 for tower in (image, text)]
    facts = TowerFacts(
        name=MODEL_TYPE,
        architecture=(
            f"residual CNN at {config.inner} px ({millions[0]:.1f} M parameters), "
            f"{config.text_layers}-layer text transformer ({millions[1]:.1f} M)"
        ),
        embedding_size=config.embedding,
        tile_size=TILE_SIZE,
        mean=MEAN,
        std=STD,
        resize="area",
        context_length=config.context,
        pad_token_id=pad,
        end_token_id=end,
        tokenizer_json=tokenizer_json,
        recommended=config.recommended,
        licence=LICENCE,
        source=SOURCE,
        notice=NOTICE,
        training=config.training,
        accuracy=config.accuracy,
    )
    return Towers(image.eval(), text.eval(), facts, dense_tower(image))


def _read_tokenizer(checkpoint: Path) -> str:
    path = checkpoint / "tokenizer.json"
    try:
        content = path.read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(content)
        for mark in (PAD, END):
            token_id(tokenizer, mark)
    # The library raises bare Exception for anything that it cannot parse.
    except Exception as error:
        raise ExportError(f"unreadable ({error})", file=path, remedy=_AGAIN) from error
    return content


def _load_weights(path: Path, image: ImageTower, text: TextTower) -> None:
    try:
        weights: dict[str, Tensor] = safetensors.load_file(path)
        for part, tower in (("image.", image), ("text.", text)):
            own = {
                name.removeprefix(part): value
                for name, value in weights.items()
                if name.startswith(part)
            }
            tower.load_state_dict(own)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ExportError(
            f"weights do not fit ({str(error).splitlines()[0]})", file=path, remedy=_AGAIN
        ) from error
