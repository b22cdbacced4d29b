"""Loads a checkpoint in open_clip's layout: towers of its own shapes, and a tokenizer beside it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from export.clip_facts import (
    OPENAI_MEAN,
    OPENAI_STD,
    RECOMMENDED,
    UNKNOWN_LICENCE,
    default_name,
    millions,
    sha256,
)
from export.clip_tokenizer import (
    MERGES_ALONE,
    find_tokenizer,
    highest_token,
    last_token,
    read_tokenizer,
)
from export.errors import ExportError
from export.open_clip.activation import Activation
from export.open_clip.dense import dense_tower
from export.open_clip.layout import Layout, read_layout
from export.open_clip.resnet import ResNetTower
from export.open_clip.shapes import ResNetShape, VitShape, image_shape, text_shape
from export.open_clip.tensors import TowerTensors
from export.open_clip.text import TextTower
from export.open_clip.vit import VitTower
from export.towers import TowerFacts, Towers

_WHERE_TOKENIZERS_ARE = (
    "give --tokenizer with the directory of any CLIP model from Hugging Face, such as "
    "openai/clip-vit-base-patch32 (its tokenizer.json, or vocab.json and merges.txt), or with "
    f"open_clip's {MERGES_ALONE}; or put these files beside the checkpoint"
)


def load_open_clip(
    file: Path, *, tokenizer: Path | None = None, activation: Activation | None = None
) -> Towers:
    """Read the towers and a tokenizer.

    Args:
        file: The `.pt` file.
        tokenizer: A tokenizer's file or a directory that holds one; if `None`, the checkpoint's
            own directory.
        activation: Of the MLPs, against what the layout tells; needed where it tells nothing.

    Raises:
        ExportError: A file is missing, damaged, or contradicts another.
    """
    layout = read_layout(file)
    image_is, text_is = image_shape(layout.image), text_shape(layout.text)
    if image_is.embedding != text_is.embedding:
        raise layout.text.contradiction(
            f"image embeddings have {image_is.embedding} components, but text embeddings "
            f"{text_is.embedding}"
        )
    chosen = activation or _activation(file, layout)
    image = _filled(lambda: _image_tower(image_is, chosen), layout.image)
    text = _filled(lambda: TextTower(text_is, chosen), layout.text)
    words_file = _tokenizer_file(tokenizer or file.parent)
    words = read_tokenizer(words_file)
    end = _end_token(words_file, words, text_is.vocabulary)
    embedded = layout.text.values["token_embedding.weight"].numel()
    return Towers(
        image,
        text,
        TowerFacts(
            name=default_name(file.stem),
            architecture=(
                f"CLIP {_kind(image_is, millions(image))} Text-{millions(text, less=embedded)}M"
            ),
            embedding_size=image_is.embedding,
            tile_size=image_is.tile_size,
            mean=OPENAI_MEAN,
            std=OPENAI_STD,
            resize="bicubic",
            context_length=text_is.context,
            # What stands behind the end token is never looked at, and no id is higher.
            pad_token_id=end,
            end_token_id=end,
            tokenizer_json=words.to_str(),
            recommended=RECOMMENDED,
            licence=UNKNOWN_LICENCE,
            source=f"{file.name} (SHA-256 {sha256(file)})",
        ),
        dense_tower(image) if isinstance(image, VitTower) else None,
    )


def _activation(file: Path, layout: Layout) -> Activation:
    if layout.activation is None:
        raise ExportError(
            "does not tell whether its MLPs use GELU or QuickGELU",
            file=file,
            remedy="give --activation quick_gelu for OpenAI's weights and models that open_clip "
            "calls quickgelu, --activation gelu for all others",
        )
    return layout.activation


def _image_tower(shape: VitShape | ResNetShape, activation: Activation) -> nn.Module:
    if isinstance(shape, ResNetShape):
        return ResNetTower(shape)
    return VitTower(shape, activation)


def _filled(make: Callable[[], nn.Module], tensors: TowerTensors) -> nn.Module:
    """A tower without memory of its own, into which the checkpoint's tensors are put."""
    with warnings.catch_warnings(), torch.device("meta"):
        # A pruned MLP may have no neurons left; torch finds nothing to initialise then.
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        tower = make()
    tensors.fill(tower)
    return tower.eval()


def _kind(shape: VitShape | ResNetShape, size: int) -> str:
    """As models are named: `ViT-22M/32`, `ResNet-19M`."""
    return f"ResNet-{size}M" if isinstance(shape, ResNetShape) else f"ViT-{size}M/{shape.patch}"


def _tokenizer_file(place: Path) -> Path:
    file = find_tokenizer(place) if place.is_dir() else place
    if file is None or not file.is_file():
        raise ExportError(
            "holds no tokenizer, and a checkpoint in open_clip's layout brings none",
            file=place,
            remedy=_WHERE_TOKENIZERS_ARE,
        )
    return file


def _end_token(file: Path, tokenizer: Tokenizer, vocabulary: int) -> int:
    """The id of the end token: the highest, as the text tower is read there, and the last."""
    end, highest = last_token(file, tokenizer), highest_token(tokenizer)
    if end != highest or highest != vocabulary - 1:
        raise ExportError(
            f"ends a text with the token {end} and knows ids up to {highest}, but the checkpoint "
            f"has {vocabulary} tokens and is read at the last",
            file=file,
            remedy="use a tokenizer and weights that belong together",
        )
    return end
