from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from export.door import export_bundle
from export.errors import ExportError
from export.loaders import load_towers
from export.nano import checkpoint
from models import load_bundle
from support.nano_checkpoint import make_nano_checkpoint

pytestmark = pytest.mark.export


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return make_nano_checkpoint(tmp_path / "checkpoint")


def test_a_checkpoint_becomes_a_bundle_through_the_one_door(saved: Path, tmp_path: Path) -> None:
    checkpoint.record_accuracy(saved, {"tiles": {"top1": 0.5}})
    manifest = export_bundle(load_towers(saved), tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    assert manifest.name == "nano-icons"
    assert manifest.notice == "nano-icons knows icons, not photographs"
    assert manifest.accuracy == {"tiles": {"top1": 0.5}}
    assert manifest.recommended.lambda_ == 10.0
    tiles = np.zeros((3, 224, 224, 3), np.uint8)
    assert np.linalg.norm(bundle.encode_tiles(tiles), axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert bundle.encode_text("where is the ball").shape == (8,)


def test_missing_weights_are_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"model\.safetensors"):
        load_towers(saved)


def test_weights_of_another_shape_are_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    config["embedding"] = 9
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match="do not fit"):
        load_towers(saved)


def test_an_unknown_key_in_the_configuration_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    config["colour"] = "red"
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match="colour"):
        load_towers(saved)


def test_a_tokenizer_without_our_marks_is_refused(saved: Path) -> None:
    content = (saved / "tokenizer.json").read_text()
    (saved / "tokenizer.json").write_text(content.replace("<end>", "<stop>"))
    with pytest.raises(ExportError, match=r"tokenizer\.json"):
        load_towers(saved)
