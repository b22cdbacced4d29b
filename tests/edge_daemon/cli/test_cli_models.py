from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import pytest
import typer

from edge_daemon.cli.app import app
from edge_daemon.cli.models import models
from models import BundleError, load_bundle
from models.manifest import Recommended
from models.zoo.catalogue import ZOO
from models.zoo.published import PublishedFile, PublishedModel, Repository
from support.model_hub import ModelHub, model_hub
from support.stand_in_exporter import stand_in_exporter
from support.tiny_bundle import make_tiny_bundle

Models = Callable[..., tuple[str, str]]

REVISION = "3" * 40
WEIGHTS = b"weights" * 1000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_DAEMON_BUNDLES", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def edge_models(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Models:
    """Runs `edge-daemon models` with arguments; returns what it printed and what else it said."""
    monkeypatch.setenv("COLUMNS", "200")
    command = typer.main.get_command(models)

    def run(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
        found = command.main(list(map(str, arguments)), "edge-daemon models", standalone_mode=False)
        assert (found or 0) == status
        said = capfd.readouterr()
        return said.out, said.err

    return run


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "stick", name="colours")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub with one small model, which is in the catalogue too."""
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    origin = Repository("maker/small", REVISION)
    known = hashlib.sha256(WEIGHTS).hexdigest()
    weights = PublishedFile("model.safetensors", origin, known, len(WEIGHTS))
    small = PublishedModel(
        name="small",
        architecture="Small ViT",
        training_data="nothing",
        embedding_size=8,
        image_millions=1,
        text_millions=1,
        imagenet_top1=12.5,
        licence="MIT",
        files=(PublishedFile("config.json", origin), weights),
        recommended=Recommended(lambda_=7.0, sigma_min=0.3, sigma_max=4.0),
    )
    monkeypatch.setitem(ZOO, "small", small)
    huggingface_hub.close_session()
    with model_hub() as served:
        files = {"config.json": b"{}", "model.safetensors": WEIGHTS}
        served.repositories["maker/small"] = {REVISION: files}
        yield served
    huggingface_hub.close_session()


def _checkpoints(store: Path) -> list[str]:
    return sorted(path.name for path in (store / ".zoo/checkpoints").rglob("*.*"))


def test_models_are_a_command_of_edge_daemon() -> None:
    assert "models" in [group.name for group in app.registered_groups]


def test_the_list_has_what_is_packaged_stored_and_to_be_had(
    edge_models: Models, store: Path, stick: Path
) -> None:
    edge_models("import", stick)
    printed, _ = edge_models("list")
    assert str(store) in printed
    rows = [line.split() for line in printed.splitlines()]
    states = {row[0]: " ".join(row[-3:]) for row in rows if len(row) > 3}
    assert states["nano-icons"].endswith("packaged")
    assert states["colours"] == "in the store"
    assert states["tinyclip-39m-16-yfcc15m"] == "can be pulled"
    printed, _ = edge_models("list", "--json")
    listed = json.loads(printed)
    assert listed["store"] == str(store)
    by_name = {row["name"]: row for row in listed["models"]}
    assert by_name["colours"]["precision"] == "fp32"
    expected = sum(p.stat().st_size for p in stick.iterdir() if p.name != "manifest.json")
    assert by_name["colours"]["bytes"] == expected
    assert by_name["tinyclip-8m-16-yfcc15m"]["imagenet_top1_percent"] == 41.1


def test_a_damaged_bundle_is_listed_as_such(edge_models: Models, store: Path) -> None:
    make_tiny_bundle(store / "broken")
    (store / "broken" / "manifest.json").write_text("{}")
    assert "damaged: manifest format None" in edge_models("list")[0]


def test_verify_gives_a_verdict_for_each_and_a_status(
    edge_models: Models, store: Path, stick: Path
) -> None:
    edge_models("import", stick)
    assert edge_models("verify")[0] == "colours: good\nnano-icons: good\n"
    (store / "colours" / "text.onnx").write_bytes(b"")
    printed, _ = edge_models("verify", status=1)
    assert printed.startswith(f"colours: bad: {store}/colours/text.onnx: 0 bytes")
    assert printed.endswith("nano-icons: good\n")
    assert edge_models("verify", "nano-icons")[0] == "nano-icons: good\n"
    with pytest.raises(BundleError, match="no bundle 'color' is here"):
        edge_models("verify", "color")


def test_remove_says_what_it_freed(edge_models: Models, store: Path, stick: Path) -> None:
    edge_models("import", stick)
    freed = sum(path.stat().st_size for path in stick.iterdir())
    assert f"{freed:,} bytes" in edge_models("remove", "colours")[1]
    assert not (store / "colours").exists()


def test_import_refuses_a_taken_name_unless_forced(edge_models: Models, stick: Path) -> None:
    assert "colours is in the store" in edge_models("import", stick)[1]
    with pytest.raises(BundleError, match="--force"):
        edge_models("import", stick)
    edge_models("import", stick, "--force")


def test_pull_downloads_exports_and_stores(
    edge_models: Models, hub: ModelHub, store: Path, tmp_path: Path
) -> None:
    python = stand_in_exporter(tmp_path / "python")
    printed, said = edge_models(
        *("pull", "small", "--mirror", hub.url, "--python", python, "--precision", "fp16"),
        *("--", "--more", "1"),
    )
    manifest = load_bundle("small", threads=1).manifest
    assert manifest.licence == "MIT"
    assert f"maker/small at {REVISION}: model.safetensors (SHA-256 " in manifest.source
    checkpoint, *options = json.loads((tmp_path / "python.json").read_text())
    assert checkpoint == str(store / ".zoo/checkpoints/small")
    assert options[options.index("--name") + 1] == "small"
    recommended = ["--lambda", "7.0", "--sigma-min", "0.3", "--sigma-max", "4.0"]
    assert options[-10:] == [*recommended, "--precision", "fp16", "--more", "1"]
    assert "exported by the stand-in" in printed
    assert "pinned on first use: config.json;" in said
    assert "small is in the store" in said
    assert _checkpoints(store) == []
    assert sorted(path.name for path in store.iterdir()) == [".zoo", "small"]


def test_pull_keeps_the_checkpoint_if_told_to(
    edge_models: Models, hub: ModelHub, store: Path, tmp_path: Path
) -> None:
    python = stand_in_exporter(tmp_path / "python")
    arguments = ("pull", "small", "--mirror", hub.url, "--python", python)
    _, said = edge_models(*arguments, "--keep-checkpoint")
    assert f"kept in {store}/.zoo/checkpoints/small" in said
    assert _checkpoints(store) == ["config.json", "model.safetensors"]
    hub.requests.clear()
    with pytest.raises(BundleError, match="in the store already"):
        edge_models(*arguments)
    _, said = edge_models(*arguments, "--force")
    assert "first use" not in said
    assert hub.requests == []


def test_a_failed_export_leaves_no_bundle_and_keeps_the_checkpoint(
    edge_models: Models, hub: ModelHub, store: Path, tmp_path: Path
) -> None:
    python = stand_in_exporter(tmp_path / "python", status=3)
    with pytest.raises(BundleError, match="status 3"):
        edge_models("pull", "small", "--mirror", hub.url, "--python", python)
    assert [path.name for path in store.iterdir()] == [".zoo"]
    assert _checkpoints(store) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("lacks", [("torch",), ("export", "torch")])
def test_a_missing_torch_is_told_before_anything_is_downloaded(
    edge_models: Models, hub: ModelHub, tmp_path: Path, lacks: tuple[str, ...]
) -> None:
    python = stand_in_exporter(tmp_path / "python", lacks=lacks)
    expected = rf"lacks {', '.join(lacks)}; .*edge-daemon\[export\].*models import DIR"
    with pytest.raises(BundleError, match=expected):
        edge_models("pull", "small", "--mirror", hub.url, "--python", python)
    assert hub.requests == []


def test_an_interpreter_that_is_not_there_is_told(edge_models: Models, hub: ModelHub) -> None:
    with pytest.raises(BundleError, match=r"cannot run /no/python \(No such file"):
        edge_models("pull", "small", "--mirror", hub.url, "--python", "/no/python")


def test_an_unknown_model_lists_the_published_ones(edge_models: Models) -> None:
    with pytest.raises(BundleError, match=r"'tinyclip'.*tinyclip-8m-16-yfcc15m"):
        edge_models("pull", "tinyclip")
