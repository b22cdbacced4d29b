from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models import BundleError
from models.manifest import FileFacts, Manifest, Recommended, read_manifest
from support.tiny_bundle import edit_manifest, make_tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "bundle")


def test_a_manifest_survives_writing_and_reading(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert Manifest.model_validate_json(manifest.to_json()) == manifest
    assert manifest.to_json() == (bundle / "manifest.json").read_text(encoding="utf-8")


def test_json_says_lambda(bundle: Path) -> None:
    fields = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert fields["recommended"] == {"lambda": 20.0, "sigma_min": 0.2, "sigma_max": 3.0}
    assert read_manifest(bundle).recommended.lambda_ == 20.0


def test_facts_of_known_bytes() -> None:
    facts = FileFacts.of(b"abc")
    assert facts.bytes == 3
    assert facts.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../escape"),
        ("name", ""),
        ("embedding_size", 0),
        ("embedding_size", "8"),
        ("mean", [0.5, 0.5]),
        ("mean", [0.5, 0.5, 100.0]),
        ("std", [0.5, 0.0, 0.5]),
        ("std", [0.5, float("nan"), 0.5]),
        ("context_length", 2),
        ("pad_token_id", -1),
        ("precision", "fp7"),
        ("recommended", {"lambda": 20.0, "sigma_min": 3.0, "sigma_max": 0.2}),
        ("recommended", {"lambda": -1.0, "sigma_min": 0.2, "sigma_max": 3.0}),
        ("preprocessing", {"resize": "nearest"}),
        ("preprocessing", {"resize": "area", "input": "floats"}),
        ("surprise", 1),
        ("licence", ...),
    ],
)
def test_a_bad_field_is_refused_by_name(bundle: Path, field: str, value: Any) -> None:
    edit_manifest(bundle, **{field: value})
    with pytest.raises(BundleError, match=field) as caught:
        read_manifest(bundle)
    assert caught.value.file == bundle / "manifest.json"


@pytest.mark.parametrize("found", [0, 3, "1", None, True, 1.5])
def test_another_format_is_refused_with_a_remedy(bundle: Path, found: Any) -> None:
    edit_manifest(bundle, format=found)
    with pytest.raises(BundleError, match=r"reads formats 1 and 2.*update edge-daemon"):
        read_manifest(bundle)


@pytest.mark.parametrize("name", ["../image.onnx", "/etc/passwd", "sub/image.onnx", "extra.bin"])
def test_a_file_outside_the_closed_list_is_refused(bundle: Path, name: str) -> None:
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    edit_manifest(bundle, files={**files, name: files["image.onnx"]})
    with pytest.raises(BundleError, match="files"):
        read_manifest(bundle)


@pytest.mark.parametrize("name", ["tokenizer.json", "image.onnx", "text.onnx"])
def test_a_file_missing_from_the_list_is_refused(bundle: Path, name: str) -> None:
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    del files[name]
    edit_manifest(bundle, files=files)
    with pytest.raises(BundleError, match=f"lacks {name}"):
        read_manifest(bundle)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe{}"])
def test_a_file_that_is_no_manifest_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read_manifest(bundle)


def test_a_directory_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"No such file.*python -m export"):
        read_manifest(tmp_path)


def test_equal_sigmas_are_allowed() -> None:
    assert Recommended(lambda_=1.0, sigma_min=2.0, sigma_max=2.0).sigma_max == 2.0
