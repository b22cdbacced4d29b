"""The published geometries, at their true sizes: their names are counts of their parameters.

The files made here have every shape of a published one, but each tensor repeats a single number,
so that they take no room. Widths are those of TinyCLIP's `model_configs`. The pruned models' widths
are published by their files alone. Of ViT-22M/32 it is known that its image tower has a stream of
370 components and, cut by TinyCLIP's own code, 22 024 993 parameters. With attention in all twelve
layers that has one solution: 85 heads and 16 983 neurons in sum. How they are spread over the
layers, and the text tower's layers, are made up here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from export.clip_tokenizer import read_tokenizer  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.untrained import write_vocabulary  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
    State,
    as_auto,
    as_manual,
    resnet_state,
    text_state,
    vit_state,
)

pytestmark = pytest.mark.export

VOCABULARY = 49408


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_vocabulary(directory, VOCABULARY)
    # This form is the quickest to read.
    read_tokenizer(directory / "vocab.json").save(str(directory / "tokenizer.json"))
    return directory / "tokenizer.json"


def _vit(width: int, layers: int, patch: int) -> State:
    return vit_state(
        ((width // 64, 4 * width),) * layers,
        width=width,
        patch=patch,
        grid=224 // patch,
        embedding=512,
        seed=None,
    )


def _resnet(width: int) -> State:
    return resnet_state((3, 4, 6, 3), width=width, grid=7, embedding=1024, seed=None)


def _text(width: int, layers: int, embedding: int = 512) -> State:
    return text_state(
        ((width // 64, 4 * width),) * layers,
        width=width,
        vocabulary=VOCABULARY,
        context=77,
        embedding=embedding,
        seed=None,
    )


@pytest.mark.parametrize(
    ("image", "text", "name"),
    [
        (_vit(256, 10, 16), _text(256, 3), "ViT-8M/16 Text-3M"),
        (_vit(512, 12, 16), _text(512, 6), "ViT-39M/16 Text-19M"),
        (_vit(512, 12, 32), _text(512, 6), "ViT-40M/32 Text-19M"),
        (_vit(640, 12, 32), _text(512, 9), "ViT-61M/32 Text-29M"),
        (_vit(768, 12, 32), _text(512, 12), "ViT-88M/32 Text-38M"),
        (_resnet(44), _text(512, 6, 1024), "ResNet-19M Text-19M"),
        (_resnet(56), _text(512, 9, 1024), "ResNet-30M Text-29M"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_published_models_are_called_by_their_names(
    tmp_path: Path, tokenizer: Path, image: State, text: State, name: str
) -> None:
    torch.save(as_manual({**image, **text}), tmp_path / "model.pt")
    facts = load_towers(tmp_path / "model.pt", tokenizer=tokenizer).facts
    assert facts.architecture == f"CLIP {name}"
    assert (facts.tile_size, facts.context_length, facts.end_token_id) == (224, 77, 49407)


def test_a_pruned_image_tower_has_the_published_count(tmp_path: Path, tokenizer: Path) -> None:
    heads = (8, 8, 8, 8, 8, 7, 7, 7, 6, 6, 6, 6)
    neurons = (*range(1370, 1370 + 11 * 9, 9), 1418)
    assert (sum(heads), sum(neurons)) == (85, 16983)
    layers = tuple(zip(heads, neurons, strict=True))
    image = vit_state(layers, width=370, patch=32, grid=7, embedding=512, seed=None)
    text = text_state(
        ((5, 600),) * 12, width=509, vocabulary=VOCABULARY, context=77, embedding=512, seed=None
    )
    file = tmp_path / "TinyCLIP-auto-ViT-22M-32-Text-10M-LAION400M.pt"
    torch.save(as_auto({**image, **text}), file)
    towers = load_towers(file, tokenizer=tokenizer)
    assert sum(weight.numel() for weight in towers.image.parameters()) == 22_024_993
    assert towers.facts.name == file.stem
    assert towers.facts.architecture.startswith("CLIP ViT-22M/32 Text-")
