"""Dense towers of pruned checkpoints, against the same transformer under a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch import Tensor  # noqa: E402

from export.loaders import load_towers  # noqa: E402
from models.manifest import Dense  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
    PRUNED_LAYERS,
    Layers,
    as_manual,
    resnet_state,
    save_checkpoint,
    text_state,
    vit_state,
)

pytestmark = pytest.mark.export

PATCH, GRID = 16, 3


def _saved(image: dict[str, Tensor], directory: Path) -> Path:
    return save_checkpoint(as_manual({**image, **text_state()}), directory)


@pytest.mark.parametrize(
    "layers",
    [PRUNED_LAYERS, ((2, 40), (1, 9)), ((2, 40), (None, 7)), ((2, 40), (2, 0))],
    ids=["no MLP", "whole", "no attention", "no neurons"],
)
def test_in_the_last_layer_each_patch_attends_to_itself(layers: Layers, tmp_path: Path) -> None:
    towers = load_towers(_saved(vit_state(layers, patch=PATCH, grid=GRID), tmp_path))
    assert towers.dense is not None
    assert towers.dense.facts == Dense(
        patch_size=PATCH, native_side=PATCH * GRID, method="MaskCLIP"
    )
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        got = towers.dense.tower(pixels)
        wanted = _masked(towers.image, pixels)
    torch.testing.assert_close(got, wanted.reshape(2, GRID, GRID, -1), rtol=1e-4, atol=1e-5)


def _masked(tower: Any, pixels: Tensor) -> Tensor:
    """What leaves the tower at its patches, with a mask on the last layer's attention."""
    patches = tower.conv1(pixels).flatten(2).transpose(1, 2)
    first = tower.class_embedding.expand(len(pixels), 1, -1)
    x = tower.ln_pre(torch.cat((first, patches), 1) + tower.positional_embedding)
    *layers, last = tower.transformer.resblocks
    for layer in layers:
        x = layer(x, None)
    alone = torch.full((x.shape[1], x.shape[1]), -1e9).fill_diagonal_(0.0)
    return tower.ln_post(last(x, alone)[:, 1:]) @ tower.proj


def test_a_larger_picture_has_more_patches(tmp_path: Path) -> None:
    towers = load_towers(_saved(vit_state(patch=PATCH, grid=GRID), tmp_path))
    assert towers.dense is not None
    with torch.inference_mode():
        assert towers.dense.tower(torch.zeros(1, 3, 32, 112)).shape == (1, 2, 7, 24)


def test_a_resnet_has_no_dense_tower(tmp_path: Path) -> None:
    assert load_towers(_saved(resnet_state(), tmp_path)).dense is None
