from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models import BundleError, load_bundle, loading, packaged_bundles
from support.tiny_bundle import edit_manifest, make_tiny_bundle, replace_file


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "bundle")


def _graph(bundle: Path, name: str) -> onnx.ModelProto:
    return onnx.load_model_from_string((bundle / name).read_bytes())


def _put(bundle: Path, name: str, model: onnx.ModelProto) -> None:
    replace_file(bundle, name, model.SerializeToString())


def test_models_never_imports_torch() -> None:
    code = "import models, sys; sys.exit(any(m in sys.modules for m in ('torch', 'onnx')))"
    root = Path(loading.__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_bundle_is_found_by_its_packaged_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tiny_bundle(tmp_path / "first")
    make_tiny_bundle(tmp_path / "second", name="other")
    (tmp_path / "not-a-bundle").mkdir()
    monkeypatch.setattr(loading, "PACKAGED", tmp_path)
    assert packaged_bundles() == ["first", "second"]
    assert load_bundle("second", threads=1).manifest.name == "other"


def test_an_unknown_name_lists_what_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny_bundle(tmp_path / "first")
    monkeypatch.setattr(loading, "PACKAGED", tmp_path)
    with pytest.raises(BundleError, match=r"no bundle 'nano-icosn'.*\(first\)"):
        load_bundle("nano-icosn")


def test_a_name_that_climbs_out_of_the_package_is_no_name(bundle: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        load_bundle("../no-such-place")


@pytest.mark.parametrize("name", ["tokenizer.json", "image.onnx", "text.onnx"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match="No such file") as caught:
        load_bundle(bundle)
    assert caught.value.file == bundle / name


@pytest.mark.parametrize("name", ["tokenizer.json", "image.onnx", "text.onnx"])
def test_a_shorter_file_is_named_with_both_sizes(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content[:-1])
    with pytest.raises(BundleError, match=rf"{len(content) - 1} bytes.* {len(content)};") as caught:
        load_bundle(bundle)
    assert caught.value.file == bundle / name


@pytest.mark.parametrize("name", ["tokenizer.json", "image.onnx", "text.onnx"])
def test_one_changed_bit_is_named_with_both_hashes(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match=r"SHA-256 [0-9a-f]{64}.* [0-9a-f]{64}") as caught:
        load_bundle(bundle)
    assert caught.value.file == bundle / name


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx"])
def test_a_file_that_is_no_graph_is_refused(bundle: Path, name: str) -> None:
    replace_file(bundle, name, b"no graph at all")
    with pytest.raises(BundleError, match=rf"{name}: onnxruntime .* cannot load"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("changes", "file"),
    [
        ({"tile_size": 112}, "image.onnx"),
        ({"embedding_size": 16}, "image.onnx"),
        ({"context_length": 32}, "text.onnx"),
    ],
)
def test_a_manifest_that_contradicts_a_graph_is_refused(
    bundle: Path, changes: dict[str, Any], file: str
) -> None:
    edit_manifest(bundle, **changes)
    with pytest.raises(BundleError, match="manifest implies") as caught:
        load_bundle(bundle)
    assert caught.value.file == bundle / file


def test_swapped_graphs_are_refused(bundle: Path) -> None:
    image, text = _graph(bundle, "image.onnx"), _graph(bundle, "text.onnx")
    _put(bundle, "image.onnx", text)
    _put(bundle, "text.onnx", image)
    with pytest.raises(BundleError, match=r"image\.onnx.*tokens tensor\(int64\)"):
        load_bundle(bundle)


def test_a_fixed_batch_is_refused(bundle: Path) -> None:
    model = _graph(bundle, "image.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    _put(bundle, "image.onnx", model)
    with pytest.raises(BundleError, match=r"image\.onnx.*dynamic N"):
        load_bundle(bundle)


def test_another_element_type_is_refused(bundle: Path) -> None:
    model = _graph(bundle, "text.onnx")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    _put(bundle, "text.onnx", model)
    with pytest.raises(BundleError, match=r"text\.onnx.*tensor\(int32\).*tensor\(int64\)"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx"])
def test_a_graph_that_does_not_normalise_is_refused(bundle: Path, name: str) -> None:
    model = _graph(bundle, name)
    last = model.graph.node.pop()
    model.graph.node.append(helper.make_node("Identity", list(last.input), list(last.output)))
    _put(bundle, name, model)
    with pytest.raises(BundleError, match=rf"{name}.*not 1"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx"])
def test_a_graph_that_gives_nan_is_refused(bundle: Path, name: str) -> None:
    model = _graph(bundle, name)
    for weight in model.graph.initializer:
        if weight.name == "bias":
            values = np.full_like(numpy_helper.to_array(weight), np.nan)
            weight.CopyFrom(numpy_helper.from_array(values, "bias"))
    _put(bundle, name, model)
    with pytest.raises(BundleError, match=rf"{name}.*not 1"):
        load_bundle(bundle)


def test_a_tokenizer_with_more_tokens_than_the_graph_is_refused(bundle: Path) -> None:
    model = _graph(bundle, "text.onnx")
    for weight in model.graph.initializer:
        if weight.name == "table":
            shorter = numpy_helper.to_array(weight)[:-1]
            weight.CopyFrom(numpy_helper.from_array(np.array(shorter), "table"))
    _put(bundle, "text.onnx", model)
    with pytest.raises(BundleError, match=r"text\.onnx: onnxruntime .* failed"):
        load_bundle(bundle)


def test_weights_outside_the_hashed_file_are_refused(bundle: Path) -> None:
    model = _graph(bundle, "image.onnx")
    for weight in model.graph.initializer:
        if weight.name == "weights":
            (bundle / "weights.bin").write_bytes(weight.raw_data)
            weight.ClearField("raw_data")
            weight.data_location = TensorProto.EXTERNAL
            weight.external_data.add(key="location", value="weights.bin")
    _put(bundle, "image.onnx", model)
    with pytest.raises(BundleError, match=r"image\.onnx: onnxruntime .* cannot load"):
        load_bundle(bundle)


def test_threads_below_one_are_refused(bundle: Path) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        load_bundle(bundle, threads=0)


def test_a_bundle_of_format_1_embeds_as_one_of_this_format(bundle: Path, tmp_path: Path) -> None:
    old = make_tiny_bundle(tmp_path / "old", image_input="pixels")
    edit_manifest(old, format=1, preprocessing=...)
    tiles = np.random.default_rng(3).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    was, now = load_bundle(old, threads=1), load_bundle(bundle, threads=1)
    np.testing.assert_allclose(was.encode_tiles(tiles), now.encode_tiles(tiles), atol=1e-5)
    assert was.resize == "area"
