from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models import BundleError
from models.manifest import read_manifest
from support.tiny_bundle import AGREEMENT, edit_manifest, make_tiny_bundle


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-dynamic"])
def test_a_reduced_precision_comes_with_its_agreement(directory: Path, precision: str) -> None:
    edit_manifest(directory, precision=precision, agreement=AGREEMENT)
    manifest = read_manifest(directory)
    assert manifest.precision == precision
    assert manifest.agreement is not None
    assert manifest.agreement.rank.least == -0.2
    assert json.loads(manifest.to_json())["agreement"] == AGREEMENT


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"precision": "int8"}, "precision int8 without an agreement report"),
        ({"agreement": AGREEMENT}, "precision fp32 with an agreement report"),
        ({"precision": "int4", "agreement": AGREEMENT}, "precision"),
        ({"precision": "int8", "agreement": {**AGREEMENT, "tiles": 0}}, "tiles"),
        ({"precision": "int8", "agreement": {**AGREEMENT, "same_best_tile": 1.2}}, "same_best"),
        ({"precision": "int8", "agreement": {**AGREEMENT, "extra": 1}}, "extra"),
    ],
)
def test_a_precision_without_a_sound_report_is_refused(
    directory: Path, fields: dict[str, Any], words: str
) -> None:
    edit_manifest(directory, **fields)
    with pytest.raises(BundleError, match=words):
        read_manifest(directory)
