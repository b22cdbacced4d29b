from __future__ import annotations

from pathlib import Path

import pytest
import typer

pytest.importorskip("torch")
pytest.importorskip("transformers")

import huggingface_hub

from edge_daemon.cli.models import models
from models import load_bundle
from models.manifest import Recommended
from models.zoo.catalogue import ZOO
from models.zoo.published import PublishedFile, PublishedModel, Repository
from support.clip_checkpoint import make_checkpoint
from support.model_hub import model_hub

pytestmark = pytest.mark.export


def test_a_published_checkpoint_becomes_a_bundle_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_checkpoint(tmp_path / "published")
    contents = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    origin = Repository("maker/tiny-clip", None)
    model = PublishedModel(
        name="tiny-clip",
        architecture="CLIP in miniature",
        training_data="nothing",
        embedding_size=24,
        image_millions=1,
        text_millions=1,
        imagenet_top1=0.1,
        licence="Apache-2.0",
        files=tuple(PublishedFile(name, origin) for name in contents),
        recommended=Recommended(lambda_=20.0, sigma_min=0.2, sigma_max=3.0),
    )
    monkeypatch.setitem(ZOO, model.name, model)
    monkeypatch.setenv("EDGE_DAEMON_BUNDLES", str(tmp_path / "store"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.close_session()
    with model_hub() as hub:
        hub.repositories[origin.id] = {"4" * 40: contents}
        typer.main.get_command(models).main(
            ["pull", model.name, "--mirror", hub.url], standalone_mode=False
        )
    huggingface_hub.close_session()
    bundle = load_bundle(model.name, threads=1)
    assert bundle.manifest.name == model.name
    assert bundle.manifest.licence == "Apache-2.0"
    assert bundle.manifest.recommended == model.recommended
    assert f"huggingface.co/maker/tiny-clip at {'4' * 40}" in bundle.manifest.source
    assert bundle.encode_texts(["a thing"]).shape == (1, 24)
    said = capfd.readouterr()
    assert "max abs error" in said.out
    assert "pinned on first use" in said.err
