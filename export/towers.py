"""What every loader hands to the export door: two torch modules and the facts about them.

A loader reads one kind of checkpoint. The door turns any `Towers` into a bundle and knows nothing
of where they came from; whatever the manifest must say about a model travels in `TowerFacts`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue
from torch import nn

from models.manifest import Dense, Recommended
from models.preprocess import Resize


@dataclass(frozen=True, kw_only=True)
class TowerFacts:
    """The manifest's fields that a loader knows and the door cannot find out.

    Attributes:
        name: Default name of the bundle: letters, digits, `.`, `_`, `-`.
        architecture: For people, such as `"CLIP ViT-39M/16 Text-19M"`.
        embedding_size: Components of an embedding (D).
        tile_size: Side of a tile in pixels (S).
        mean: Of pixels scaled to 0..1, in the order red, green, blue.
        std: Likewise.
        resize: The filter that pictures were resized with in training (`models.preprocess`).
        context_length: Tokens in a row of the text tower's input (L), start and end included.
        pad_token_id: Fills a row after the end token; must not change the embedding.
        end_token_id: The last token of every text; what the tokenizer's post-processor appends.
        tokenizer_json: Content of `tokenizer.json` for the `tokenizers` library, with the
            post-processor that adds the start and end tokens.
        recommended: Settings of the prefilter that suit these embeddings.
        licence: SPDX identifier of the weights' licence, or words for people.
        source: Where the weights came from.
        notice: Shown wherever the bundle's output is shown; empty if there is nothing to say.
        training: How the weights were made (command, seeds, data versions, licences); `None` if
            unknown.
        accuracy: Measured figures with their conditions; `None` if unknown.
    """

    name: str
    architecture: str
    embedding_size: int
    tile_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Resize
    context_length: int
    pad_token_id: int
    end_token_id: int
    tokenizer_json: str
    recommended: Recommended
    licence: str
    source: str
    notice: str = ""
    training: dict[str, JsonValue] | None = None
    accuracy: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class DenseTower:
    """A tower for whole pictures, and what its user must know.

    Attributes:
        tower: Maps normalised planes of any size, float32 (N, 3, h * patch, w * patch), to float32
            (N, h - window + 1, w - window + 1, D), embeddings in the space of the text tower.
        facts: What the manifest says of it.
    """

    tower: nn.Module
    facts: Dense


@dataclass(frozen=True)
class Towers:
    """An image tower and a text tower of one embedding space, ready to export.

    Attributes:
        image: Maps `pixels`, float32 (N, 3, S, S) normalised by mean and std, to float32 (N, D).
        text: Maps `tokens`, int64 (N, L), to float32 (N, D).
        facts: The rest of the manifest.
        dense: For `dense.onnx`; `None` if there is no such tower for this model.

    No tower needs to scale its embeddings to unit length: the door appends that to the graph.
    They must be in evaluation mode, on the CPU, in float32, and free of Python control flow that
    depends on the values or the number of rows.
    """

    image: nn.Module
    text: nn.Module
    facts: TowerFacts
    dense: DenseTower | None = None
