"""The optional graph that sees whole pictures, from the manifest to embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models import Bundle, BundleError, load_bundle
from models.manifest import read_manifest
from support.tiny_bundle import (
    DENSE,
    EMBEDDING_SIZE,
    PATCH_SIZE,
    WINDOW,
    edit_manifest,
    make_tiny_bundle,
    replace_file,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "bundle", dense=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("b"), dense=True), threads=1)


def test_every_window_has_an_embedding_of_what_it_shows(bundle: Bundle) -> None:
    """A canvas of 4 x 5 patches has 3 x 4 windows of two by two."""
    canvas = np.full((4 * PATCH_SIZE, 5 * PATCH_SIZE, 3), (0, 255, 0), np.uint8)
    canvas[2 * PATCH_SIZE :, : 2 * PATCH_SIZE] = (255, 0, 0)
    canvas[: 2 * PATCH_SIZE, 3 * PATCH_SIZE :] = (0, 0, 255)
    windows = bundle.encode_dense(canvas)
    assert windows.shape == (3, 4, EMBEDDING_SIZE)
    assert np.linalg.norm(windows, axis=-1) == pytest.approx(np.ones((3, 4)), abs=1e-5)
    for colour, place in (("red", (2, 0)), ("blue", (0, 3))):
        cosines = windows @ bundle.encode_text(colour)
        assert np.unravel_index(cosines.argmax(), cosines.shape) == place
        assert cosines[place] == pytest.approx(1.0, abs=0.01)


def test_any_size_in_whole_patches_goes_and_a_view_does_too(bundle: Bundle) -> None:
    large = np.random.default_rng(0).integers(0, 256, (160, 480, 3), dtype=np.uint8)
    whole = bundle.encode_dense(large)
    assert whole.shape == (9, 29, EMBEDDING_SIZE)
    part = bundle.encode_dense(large[PATCH_SIZE:, PATCH_SIZE : 3 * PATCH_SIZE])
    np.testing.assert_allclose(part, whole[1:, 1:2], atol=1e-6)


@pytest.mark.parametrize(
    "canvas",
    [
        np.zeros((32, 40, 3), np.uint8),
        np.zeros((32, 16, 3), np.uint8),
        np.zeros((0, 16, 3), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((32, 32, 3), np.float32),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
)
def test_other_canvases_are_refused(bundle: Bundle, canvas: Any) -> None:
    with pytest.raises(ValueError, match="multiples of 16, at least 32"):
        bundle.encode_dense(canvas)


def test_the_facts_survive_the_manifest(directory: Path) -> None:
    assert read_manifest(directory).dense == DENSE
    assert json.loads((directory / "manifest.json").read_text())["dense"]["window"] == WINDOW


def test_what_the_bundle_runs_on_is_told_of_the_dense_graph_too(bundle: Bundle) -> None:
    assert bundle.describe()["dense"]["providers"] == ["CPUExecutionProvider"]


def test_a_bundle_without_the_graph_says_so(tmp_path: Path) -> None:
    plain = load_bundle(make_tiny_bundle(tmp_path / "plain"), threads=1)
    assert plain.manifest.dense is None
    assert "dense" not in plain.describe()
    with pytest.raises(ValueError, match=r"no dense\.onnx"):
        plain.encode_dense(np.zeros((16, 16, 3), np.uint8))


def test_facts_and_file_belong_together(directory: Path) -> None:
    edit_manifest(directory, dense=...)
    with pytest.raises(BundleError, match="belong together"):
        load_bundle(directory)


def test_another_patch_size_than_the_graphs_is_refused(directory: Path) -> None:
    edit_manifest(
        directory, dense={"patch_size": 32, "window": 1, "native_side": 112, "method": "none"}
    )
    with pytest.raises(BundleError, match=r"64 x 96 pixels give \(3, 5\) windows"):
        load_bundle(directory)


def test_a_graph_for_one_size_alone_is_refused(directory: Path) -> None:
    model = onnx.load(directory / "dense.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 224
    replace_file(directory, "dense.onnx", model.SerializeToString())
    with pytest.raises(
        BundleError, match=r"dense\.onnx.*canvas tensor\(uint8\) \(N, any, any, 3\)"
    ):
        load_bundle(directory)
