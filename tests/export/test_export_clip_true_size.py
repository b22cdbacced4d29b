"""A model of the true ViT-39M/16 Text-19M configuration with random weights, from door to pixels.

Everything is compared with transformers' own path (its tokenizer, attention mask and feature
methods), which shares no code with the towers that were exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

from export.door import export_bundle  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.untrained import GEOMETRIES, make_untrained  # noqa: E402
from models import Bundle, load_bundle  # noqa: E402

pytestmark = pytest.mark.export

TEXTS = ["", "where is the red bicycle?", "abc " * 200]


@dataclass
class Exported:
    checkpoint: Path
    directory: Path
    bundle: Bundle
    model: Any
    tokenizer: Any


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    root = tmp_path_factory.mktemp("true-size")
    checkpoint = make_untrained(root / "TinyCLIP ViT-39M", GEOMETRIES["vit-39m-16"])
    directory = root / "bundle"
    export_bundle(load_towers(checkpoint), directory)
    return Exported(
        checkpoint,
        directory,
        load_bundle(directory, threads=2),
        transformers.CLIPModel.from_pretrained(checkpoint, local_files_only=True).eval(),
        transformers.CLIPTokenizerFast.from_pretrained(checkpoint, local_files_only=True),
    )


def _unit(features: Any) -> NDArray[np.float64]:
    pooled = getattr(features, "pooler_output", features)
    rows = pooled.detach().numpy().astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_manifest_tells_the_configuration(exported: Exported) -> None:
    manifest = exported.bundle.manifest
    assert manifest.architecture == "CLIP ViT-39M/16 Text-19M"
    assert manifest.name == "TinyCLIP-ViT-39M"
    assert (manifest.embedding_size, manifest.tile_size, manifest.context_length) == (512, 224, 77)
    assert manifest.end_token_id == 49407
    assert manifest.opset == 18
    assert manifest.recommended.model_dump() == {
        "lambda_": 50.0,
        "sigma_min": 0.5,
        "sigma_max": 10.0,
    }
    assert manifest.source.startswith("TinyCLIP ViT-39M/model.safetensors (SHA-256 ")


def test_the_parity_report_is_in_the_manifest(exported: Exported) -> None:
    parity = exported.bundle.manifest.parity
    assert parity.torch == torch.__version__
    for tower in (parity.image, parity.text):
        assert tower.samples == 6
        assert 0 < tower.max_abs_error < 1e-5
        assert tower.min_cosine > 0.99999


def test_tiles_embed_as_in_transformers(exported: Exported) -> None:
    rng = np.random.default_rng(3)
    tiles = rng.integers(0, 256, (9, 224, 224, 3), dtype=np.uint8)
    tiles[4:] //= 3
    got = exported.bundle.encode_tiles(tiles)
    processor = transformers.CLIPImageProcessor(do_resize=False, do_center_crop=False)
    pixels = processor(images=list(tiles), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        wanted = _unit(exported.model.get_image_features(pixel_values=pixels))
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert np.abs(wanted[0] - wanted[4]).max() > 1e-3


def test_texts_embed_as_in_transformers(exported: Exported) -> None:
    got = exported.bundle.encode_texts(TEXTS)
    inputs = exported.tokenizer(
        TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = _unit(exported.model.get_text_features(**inputs))
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3


def test_tokens_are_counted_as_in_transformers(exported: Exported) -> None:
    for text in TEXTS:
        ids = exported.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert exported.bundle.token_count(text) == len(ids)


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx"])
def test_a_graph_is_plain_self_contained_and_anonymous(exported: Exported, name: str) -> None:
    content = (exported.directory / name).read_bytes()
    model = onnx.load_model_from_string(content)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    assert all(w.data_location != TensorProto.EXTERNAL for w in model.graph.initializer)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for trace in (b"stack_trace", b"modeling_clip", str(exported.checkpoint.parent).encode()):
        assert trace not in content
    element = {"image.onnx": TensorProto.UINT8, "text.onnx": TensorProto.INT64}[name]
    assert model.graph.input[0].type.tensor_type.elem_type == element


def test_the_bundle_is_four_files(exported: Exported) -> None:
    names = {path.name for path in exported.directory.iterdir()}
    assert names == {"manifest.json", "tokenizer.json", "image.onnx", "text.onnx"}
    assert sorted(path.name for path in exported.directory.parent.iterdir()) == [
        "TinyCLIP ViT-39M",
        "bundle",
    ]


@pytest.mark.parametrize("name", ["vit-8m-16", "vit-39m-16", "vit-40m-32", "vit-61m-32"])
def test_untrained_geometries_have_the_sizes_in_their_names(name: str, tmp_path: Path) -> None:
    checkpoint = make_untrained(tmp_path / name, GEOMETRIES[name])
    vision, patch = name.removeprefix("vit-").split("m-")
    architecture = load_towers(checkpoint).facts.architecture
    assert architecture.startswith(f"CLIP ViT-{vision}M/{patch} Text-")
