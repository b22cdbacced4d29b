from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import models
from models.place import is_name
from models.zoo.catalogue import ZOO
from models.zoo.published import PublishedModel, Repository

_SIZES = ("8m-16", "39m-16", "40m-32", "61m-32", "auto-22m-32", "auto-45m-32", "auto-63m-32")


def test_every_published_tinyclip_is_there_and_clip_for_clipsim() -> None:
    names = set(ZOO)
    for size in (*_SIZES, "resnet-19m", "resnet-30m"):
        assert any(name.startswith(f"tinyclip-{size}-") for name in names), size
    for size in ("auto-45m-32", "auto-63m-32"):
        assert {f"tinyclip-{size}-laion400m", f"tinyclip-{size}-laionyfcc400m"} <= names
    assert "clip-vit-b-32-openai" in names
    assert len(names) == 12


@pytest.mark.parametrize("model", ZOO.values(), ids=lambda model: model.name)
def test_an_entry_is_well_formed(model: PublishedModel) -> None:
    assert ZOO[model.name] is model
    assert is_name(model.name)
    assert model.name == model.name.lower()
    assert model.name not in models.packaged_bundles()
    names = [file.name for file in model.files]
    assert len(names) == len(set(names))
    assert "tokenizer.json" in names
    assert model.checkpoint is None or model.checkpoint in names
    assert ("config.json" in names) == (model.checkpoint is None)
    for file in model.files:
        assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.sha256 is not None or file.bytes is None
        if isinstance(file.origin, Repository):
            assert file.origin.revision is not None
            assert re.fullmatch(r"[0-9a-f]{40}", file.origin.revision)
        else:
            assert file.origin.url.startswith("https://")


def test_names_say_the_towers_sizes() -> None:
    for model in ZOO.values():
        if model.name.startswith("tinyclip"):
            assert f"{model.image_millions}m" in model.name.split("-")
            assert f"-{model.image_millions}M" in model.architecture
            assert model.architecture.endswith(f"Text-{model.text_millions}M")


def test_published_settings_are_recommended() -> None:
    found = {
        model.name: (chosen.lambda_, chosen.sigma_min, chosen.sigma_max)
        for model in ZOO.values()
        if (chosen := model.recommended) is not None
    }
    assert found == {
        "tinyclip-auto-22m-32-laion400m": (20.0, 0.2, 3.0),
        "tinyclip-39m-16-yfcc15m": (50.0, 0.5, 10.0),
    }


def test_the_catalogue_is_read_without_huggingface_hub() -> None:
    code = "import models, sys; sys.exit('huggingface_hub' in sys.modules)"
    root = Path(models.__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
