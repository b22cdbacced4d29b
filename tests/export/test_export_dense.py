"""The dense graph of both kinds of towers, against forward passes written down independently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from export.__main__ import main  # noqa: E402
from export.dense import export_dense  # noqa: E402
from export.door import export_bundle  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.towers import Towers  # noqa: E402
from models import load_bundle  # noqa: E402
from models.backends.cpu import CpuSession  # noqa: E402
from models.manifest import Dense  # noqa: E402
from models.session import GraphSpec  # noqa: E402
from support.clip_checkpoint import make_checkpoint  # noqa: E402
from support.nano_checkpoint import make_nano_checkpoint  # noqa: E402

pytestmark = pytest.mark.export

SIDE, PATCH = 32, 8
"""Of the tiny CLIP."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(
        tmp_path_factory.mktemp("clip") / "tiny", vision={"num_hidden_layers": 2}
    )


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_nano_checkpoint(tmp_path_factory.mktemp("nano") / "checkpoint")


def pixels_of(height: int, width: int, rows: int = 1) -> Tensor:
    return torch.randn(rows, 3, height, width, generator=torch.Generator().manual_seed(4))


def dense_of(checkpoint: Path, pixels: Tensor) -> Tensor:
    towers = load_towers(checkpoint)
    assert towers.dense is not None
    with torch.inference_mode():
        return towers.dense.tower(pixels)


def maskclip(checkpoint: Path, pixels: Tensor) -> Tensor:
    """The published method by means of transformers' own layers: attention is masked so that in
    the last layer each token sees itself, and positions are transformers' own interpolation."""
    clip = transformers.CLIPModel.from_pretrained(checkpoint, attn_implementation="eager").eval()
    vision = clip.vision_model
    with torch.inference_mode():
        x = vision.pre_layrnorm(vision.embeddings(pixels, interpolate_pos_encoding=True))
        *layers, last = vision.encoder.layers
        for layer in layers:
            x = layer(x, attention_mask=None)
        alone = torch.full((x.shape[1], x.shape[1]), -1e9).fill_diagonal_(0.0)
        x = last(x, attention_mask=alone[None, None])
        patches = clip.visual_projection(vision.post_layernorm(x[:, 1:]))
    return patches.reshape(len(pixels), pixels.shape[2] // PATCH, pixels.shape[3] // PATCH, -1)


@pytest.mark.parametrize("size", [(SIDE, SIDE), (PATCH, PATCH), (24, 80)])
def test_clips_patches_are_those_of_the_published_method(
    checkpoint: Path, size: tuple[int, int]
) -> None:
    pixels = pixels_of(*size, rows=2)
    torch.testing.assert_close(
        dense_of(checkpoint, pixels), maskclip(checkpoint, pixels), rtol=1e-4, atol=1e-5
    )


def test_position_embeddings_are_the_originals_at_the_size_trained_on(checkpoint: Path) -> None:
    clip = transformers.CLIPModel.from_pretrained(checkpoint).eval()
    pixels = pixels_of(SIDE, SIDE)
    seen: list[Tensor] = []
    towers = load_towers(checkpoint)
    assert towers.dense is not None
    tower: Any = towers.dense.tower

    def note(_: object, given: tuple[Tensor]) -> None:
        seen.append(given[0])

    tower.before.register_forward_pre_hook(note)
    with torch.inference_mode():
        tower(pixels)
        wanted = clip.vision_model.embeddings(pixels)
    torch.testing.assert_close(seen[0], wanted, rtol=0, atol=1e-6)


def test_the_class_token_of_an_untouched_last_layer_would_be_the_image_embedding(
    checkpoint: Path,
) -> None:
    """The parts are put together in the right order: only the last layer's attention differs."""
    towers = load_towers(checkpoint)
    clip = transformers.CLIPModel.from_pretrained(checkpoint, attn_implementation="eager").eval()
    assert towers.dense is not None
    tower: Any = towers.dense.tower

    class Whole(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mixed = clip.vision_model.encoder.layers[-1](x, attention_mask=None)
            return mixed.roll(-1, dims=1)  # the class token goes last, into a patch's place

    tower.last = Whole()
    pixels = pixels_of(SIDE, SIDE)
    with torch.inference_mode():
        torch.testing.assert_close(
            tower(pixels)[:, -1, -1], towers.image(pixels), rtol=1e-4, atol=1e-5
        )


def test_nanos_windows_are_means_of_cells_that_average_to_a_tile(nano: Path) -> None:
    towers = load_towers(nano)
    tower: Any = towers.image
    small, wide = pixels_of(32, 32), pixels_of(80, 112)
    with torch.inference_mode():
        cells = tower.head(tower.layers(small).permute(0, 2, 3, 1))
        torch.testing.assert_close(cells.mean((1, 2)), tower.embed_small(small))
        cells = tower.head(tower.layers(wide).permute(0, 2, 3, 1))[0].numpy()
    wanted = [[cells[y : y + 4, x : x + 4].mean((0, 1)) for x in range(4)] for y in range(2)]
    np.testing.assert_allclose(dense_of(nano, wide)[0].numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_command_adds_a_graph_for_any_size_when_asked(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "-o", str(tmp_path / "bundle"), "--dense"]) == 0
    assert "dense.onnx" in capsys.readouterr().out
    bundle = load_bundle(tmp_path / "bundle", threads=1)
    manifest = bundle.manifest
    assert manifest.dense == Dense(patch_size=PATCH, native_side=SIDE, method="MaskCLIP")
    assert manifest.parity.dense is not None
    assert 0 <= manifest.parity.dense.max_abs_error < 1e-4
    for height, width in ((SIDE, SIDE), (PATCH, PATCH), (40, 24), (16, 200)):
        canvas = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
        patches = bundle.encode_dense(canvas)
        assert patches.shape == (height // PATCH, width // PATCH, 24)
        np.testing.assert_allclose(np.linalg.norm(patches, axis=-1), 1.0, atol=1e-5)
        np.testing.assert_allclose(patches, unit(maskclip, checkpoint, canvas), atol=1e-4)


def test_nanos_graph_takes_any_size_in_windows(nano: Path) -> None:
    towers = load_towers(nano)
    assert towers.dense is not None
    graph = export_dense(towers.dense, towers.facts)
    session = CpuSession(graph, GraphSpec.dense(8), threads=1, file=Path("dense.onnx"))
    for height, width in ((64, 64), (80, 144)):
        canvas = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
        windows = session.encode(canvas[None])[0]
        assert windows.shape == (height // 16 - 3, width // 16 - 3, 8)
        np.testing.assert_allclose(windows, unit(dense_of, nano, canvas), atol=1e-4)


def unit(
    tower: Callable[[Path, Tensor], Tensor], checkpoint: Path, canvas: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What a tower gives for a canvas that is normalised here and not by a graph."""
    facts = load_towers(checkpoint).facts
    pixels = torch.as_tensor((canvas / 255.0 - facts.mean) / facts.std).float()
    raw = tower(checkpoint, pixels.permute(2, 0, 1)[None])
    return functional.normalize(raw, dim=-1)[0].numpy()


def test_towers_without_dense_features_are_refused_before_any_work(
    checkpoint: Path, tmp_path: Path
) -> None:
    whole = load_towers(checkpoint)
    steps: list[str] = []
    with pytest.raises(ExportError, match="no dense features"):
        export_bundle(
            Towers(whole.image, whole.text, whole.facts),
            tmp_path / "bundle",
            dense=True,
            progress=steps.append,
        )
    assert steps == []
