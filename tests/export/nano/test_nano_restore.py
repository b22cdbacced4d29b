from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

from export.__main__ import main  # noqa: E402
from export.door import export_bundle  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.graph import export_graph  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.towers import Towers  # noqa: E402
from models import Bundle, load_bundle  # noqa: E402
from models.manifest import read_manifest  # noqa: E402
from support.nano_checkpoint import make_nano_checkpoint  # noqa: E402
from support.tiny_bundle import AGREEMENT, edit_manifest, make_tiny_bundle, replace_file  # noqa: E402

pytestmark = pytest.mark.export

PHRASES = ["ball", "where is the arrow left", "a blue box and a red circle"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Towers:
    return load_towers(make_nano_checkpoint(tmp_path_factory.mktemp("nano") / "checkpoint"))


@pytest.fixture(scope="module")
def shipped(trained: Towers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shipped") / "bundle"
    export_bundle(trained, directory)
    return directory


@pytest.fixture
def of_format_1(trained: Towers, shipped: Path, tmp_path: Path) -> Path:
    """The same bundle as the version before this one wrote it."""
    directory = tmp_path / "format-1"
    shutil.copytree(shipped, directory)
    planes = torch.zeros(2, 3, 224, 224)
    replace_file(directory, "image.onnx", export_graph(trained.image, planes, input_name="pixels"))
    edit_manifest(directory, format=1, preprocessing=...)
    return directory


def assert_same_embeddings(one: Bundle, other: Bundle) -> None:
    tiles = np.random.default_rng(1).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
    np.testing.assert_allclose(one.encode_tiles(tiles), other.encode_tiles(tiles), atol=1e-5)
    np.testing.assert_allclose(one.encode_texts(PHRASES), other.encode_texts(PHRASES), atol=1e-5)


def test_the_weights_that_the_graphs_still_hold_come_back_as_they_were(
    trained: Towers, shipped: Path
) -> None:
    restored = load_towers(shipped)
    before, after = trained.text.state_dict(), restored.text.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0, msg=name)
    assert list(restored.image.state_dict()) == list(trained.image.state_dict())


def test_a_bundle_of_format_1_becomes_one_of_format_2_with_its_facts(
    of_format_1: Path, tmp_path: Path
) -> None:
    edit_manifest(of_format_1, licence="ours", accuracy={"tiles": {"top1": 0.5}})
    assert main([str(of_format_1), "-o", str(tmp_path / "again")]) == 0
    assert_same_embeddings(load_bundle(of_format_1), load_bundle(tmp_path / "again"))
    before, after = read_manifest(of_format_1), read_manifest(tmp_path / "again")
    assert (before.preprocessing.input, after.preprocessing.input) == ("pixels", "tiles")
    assert after.training is not None
    assert "format 1" in str(after.training["re-exported"])
    assert {**after.training, "re-exported": None} == {"seed": 0, "re-exported": None}
    for fact in ("licence", "accuracy", "notice", "source", "architecture", "recommended"):
        assert getattr(after, fact) == getattr(before, fact), fact


def test_the_record_of_the_first_time_is_kept(of_format_1: Path, tmp_path: Path) -> None:
    edit_manifest(of_format_1, training={"re-exported": "long ago"})
    assert load_towers(of_format_1).facts.training == {"re-exported": "long ago"}


def test_a_bundle_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"image\.onnx: not a graph of nano-icons"):
        load_towers(make_tiny_bundle(tmp_path / "colours"))


def test_a_damaged_bundle_is_refused(shipped: Path, tmp_path: Path) -> None:
    shutil.copytree(shipped, tmp_path / "damaged")
    (tmp_path / "damaged" / "text.onnx").write_bytes(b"")
    with pytest.raises(ExportError, match=r"text\.onnx: 0 bytes"):
        load_towers(tmp_path / "damaged")


def test_weights_that_give_other_embeddings_than_the_graph_are_refused(
    shipped: Path, tmp_path: Path
) -> None:
    shutil.copytree(shipped, tmp_path / "other")
    model = onnx.load(tmp_path / "other" / "image.onnx")
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "LeakyRelu"
    replace_file(tmp_path / "other", "image.onnx", model.SerializeToString())
    with pytest.raises(ExportError, match=r"image\.onnx: .* give other embeddings"):
        load_towers(tmp_path / "other")


def test_a_bundle_of_reduced_precision_is_refused(shipped: Path, tmp_path: Path) -> None:
    directory = tmp_path / "int8"
    shutil.copytree(shipped, directory)
    edit_manifest(directory, precision="int8", agreement=AGREEMENT)
    with pytest.raises(ExportError, match=r"int8: its weights are int8, .*float32 bundle"):
        load_towers(directory)
