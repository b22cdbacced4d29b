from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

import models
from models import BundleError
from models.zoo import hub as hub_module
from models.zoo.checkpoints import Checkpoint, fetch_checkpoint
from models.zoo.errors import (
    AccessError,
    ContentError,
    CutOffError,
    NotPublishedError,
    OfflineError,
    ServerError,
    ToolMissingError,
    UnreachableError,
)
from models.zoo.published import PublishedFile, PublishedModel, Release, Repository
from support.model_hub import ModelHub
from support.recording_proxy import recording_proxy

pytestmark = pytest.mark.usefixtures("store")

ID = "maker/tiny"
FIRST, SECOND = "1" * 40, "2" * 40
WEIGHTS = bytes(range(256)) * 12_000
CONFIG = b'{"model_type": "clip"}'
RELEASED = "/maker/zoo/releases/download/checkpoints/tiny.pt"


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _model(*files: PublishedFile, checkpoint: str | None = None) -> PublishedModel:
    return PublishedModel(
        name="tiny",
        architecture="CLIP in miniature",
        training_data="nothing",
        embedding_size=8,
        image_millions=1,
        text_millions=1,
        imagenet_top1=0.1,
        licence="MIT",
        files=files,
        checkpoint=checkpoint,
    )


def _at_the_hub(revision: str | None = None) -> PublishedModel:
    """Of which only names are known."""
    origin = Repository(ID, revision)
    return _model(PublishedFile("config.json", origin), PublishedFile("model.safetensors", origin))


def _pinned() -> PublishedModel:
    origin = Repository(ID, FIRST)
    return _model(
        PublishedFile("config.json", origin, _sha(CONFIG), len(CONFIG)),
        PublishedFile("model.safetensors", origin, _sha(WEIGHTS), len(WEIGHTS)),
    )


def _released(hub: ModelHub, sha256: str | None = None) -> PublishedModel:
    origin = Release(hub.url + RELEASED.removesuffix("/tiny.pt"))
    return _model(PublishedFile("tiny.pt", origin, sha256), checkpoint="tiny.pt")


def _serve(hub: ModelHub) -> None:
    hub.repositories[ID] = {FIRST: {"config.json": CONFIG, "model.safetensors": WEIGHTS}}
    hub.plain[RELEASED] = WEIGHTS


def _pull(hub: ModelHub, model: PublishedModel, **options: Any) -> Checkpoint:
    return fetch_checkpoint(model, mirror=hub.url, **options)


def _weights_requests(hub: ModelHub) -> list[dict[str, str]]:
    return [request.headers for request in hub.asked(f"/cdn/{_sha(WEIGHTS)}")]


def _on_disk(store: Path) -> dict[str, bytes]:
    directory = store / ".zoo" / "checkpoints" / "tiny"
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_pinned_model_is_downloaded_from_its_commit_without_asking_what_it_is(
    hub: ModelHub, store: Path
) -> None:
    _serve(hub)
    hub.repositories[ID][SECOND] = {"config.json": b"{}", "model.safetensors": b"moved on"}
    checkpoint = _pull(hub, _pinned())
    assert _on_disk(store) == {"config.json": CONFIG, "model.safetensors": WEIGHTS}
    assert checkpoint.path == store / ".zoo" / "checkpoints" / "tiny"
    assert checkpoint.first_use == ()
    assert not any("/api/" in request.path for request in hub.requests)
    assert f"{ID} at {FIRST}: model.safetensors (SHA-256 {_sha(WEIGHTS)}" in checkpoint.source
    assert "first use" not in checkpoint.source


def test_what_nobody_pinned_is_pinned_on_first_use(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    checkpoint = _pull(hub, _at_the_hub())
    assert checkpoint.first_use == ("config.json", "model.safetensors")
    assert "pinned on first use" in checkpoint.source
    assert checkpoint.record.is_relative_to(store)
    record = json.loads(checkpoint.record.read_text("utf-8"))
    assert record["revisions"] == {ID: FIRST}
    assert record["files"]["model.safetensors"] == {"sha256": _sha(WEIGHTS), "bytes": len(WEIGHTS)}
    assert record["files"]["config.json"] == {"sha256": _sha(CONFIG), "bytes": len(CONFIG)}


def test_a_later_pull_gets_the_recorded_commit_though_the_branch_has_moved(
    hub: ModelHub, store: Path
) -> None:
    _serve(hub)
    _pull(hub, _at_the_hub()).discard()
    hub.repositories[ID][SECOND] = {"config.json": b"{}", "model.safetensors": b"moved on"}
    hub.requests.clear()
    again = _pull(hub, _at_the_hub())
    assert again.first_use == ()
    assert _on_disk(store)["model.safetensors"] == WEIGHTS
    assert not any("/api/" in request.path for request in hub.requests)


def test_content_that_differs_from_the_record_is_refused_unless_repinned(
    hub: ModelHub, store: Path
) -> None:
    _serve(hub)
    _pull(hub, _at_the_hub()).discard()
    other = bytes(reversed(WEIGHTS))
    hub.repositories[ID] = {FIRST: {"config.json": CONFIG, "model.safetensors": other}}
    with pytest.raises(ContentError, match=r"the record of the first pull.*--repin"):
        _pull(hub, _at_the_hub())
    assert "model.safetensors" not in _on_disk(store)
    checkpoint = _pull(hub, _at_the_hub(), repin=True)
    assert checkpoint.first_use == ("config.json", "model.safetensors")
    assert _on_disk(store)["model.safetensors"] == other
    _pull(hub, _at_the_hub())


def test_the_catalogue_wins_over_the_record(hub: ModelHub) -> None:
    _serve(hub)
    _pull(hub, _at_the_hub())
    model = _pinned()
    wrong = replace(model.files[1], sha256="0" * 64)
    with pytest.raises(ContentError, match="the catalogue says 0000"):
        _pull(hub, replace(model, files=(model.files[0], wrong)))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_the_hub_itself_says_is_checked(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _serve(hub)
    served = hub.repositories[ID][FIRST]
    listing = hub_module.Hub.listing

    def then_changed(*arguments: Any) -> hub_module.Listing:
        said = listing(*arguments)
        hub.repositories[ID][FIRST] = {**served, name: bytes(reversed(served[name]))}
        return said

    monkeypatch.setattr(hub_module.Hub, "listing", then_changed)
    with pytest.raises(ContentError, match=rf"{name} came with .*SHA.* the hub says"):
        _pull(hub, _at_the_hub())


def test_a_damaged_record_is_told(hub: ModelHub) -> None:
    _serve(hub)
    record = _pull(hub, _at_the_hub()).record
    record.write_text("{")
    with pytest.raises(BundleError, match="damaged") as caught:
        _pull(hub, _at_the_hub())
    assert caught.value.file == record


def test_a_cut_download_goes_on_where_it_was_cut(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    half = len(WEIGHTS) // 2
    hub.cuts[f"/cdn/{_sha(WEIGHTS)}"] = half
    with pytest.raises(CutOffError, match=r"after 1\.5 MB of 3\.1 MB.*same command"):
        _pull(hub, _pinned())
    assert _on_disk(store)["model.safetensors.part"] == WEIGHTS[:half]
    _pull(hub, _pinned())
    first, second = _weights_requests(hub)
    assert "range" not in first
    assert second["range"] == f"bytes={half}-"
    assert _on_disk(store) == {"config.json": CONFIG, "model.safetensors": WEIGHTS}


def test_an_interrupted_download_goes_on_too(hub: ModelHub, store: Path) -> None:
    _serve(hub)

    def press_ctrl_c(name: str, here: int, whole: int | None) -> None:
        if name == "model.safetensors" and here > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _pull(hub, _pinned(), progress=press_ctrl_c)
    arrived = len(_on_disk(store)["model.safetensors.part"])
    assert 1_000_000 < arrived < len(WEIGHTS)
    _pull(hub, _pinned())
    assert _weights_requests(hub)[-1]["range"] == f"bytes={arrived}-"
    assert _on_disk(store)["model.safetensors"] == WEIGHTS


def test_progress_ends_with_all_bytes(hub: ModelHub) -> None:
    _serve(hub)
    seen: list[tuple[int, int | None]] = []

    def show(name: str, here: int, whole: int | None) -> None:
        if name == "model.safetensors":
            seen.append((here, whole))

    _pull(hub, _pinned(), progress=show)
    assert seen[0] == (0, len(WEIGHTS))
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert len(seen) > 2


def test_what_is_here_is_checked_and_not_downloaded_again(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    _pull(hub, _pinned())
    hub.requests.clear()
    _pull(hub, _pinned())
    assert hub.requests == []
    (store / ".zoo/checkpoints/tiny/config.json").write_bytes(b"damaged since then")
    _pull(hub, _pinned())
    assert [request.path for request in hub.requests] == [f"/{ID}/resolve/{FIRST}/config.json"]
    assert _on_disk(store)["config.json"] == CONFIG


def test_a_released_file_is_pinned_on_first_use_too(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    checkpoint = fetch_checkpoint(_released(hub))
    assert checkpoint.path == store / ".zoo/checkpoints/tiny/tiny.pt"
    assert checkpoint.path.read_bytes() == WEIGHTS
    assert checkpoint.first_use == ("tiny.pt",)
    assert checkpoint.source.startswith(f"{hub.url}{RELEASED} (SHA-256 {_sha(WEIGHTS)}")
    checkpoint.discard()
    hub.plain[RELEASED] = bytes(reversed(WEIGHTS))
    with pytest.raises(ContentError, match="the record of the first pull"):
        fetch_checkpoint(_released(hub))


def test_a_released_file_with_a_known_hash_resumes_without_a_tag(
    hub: ModelHub, store: Path
) -> None:
    _serve(hub)
    hub.tags = False
    hub.cuts[RELEASED] = 1000
    model = _released(hub, _sha(WEIGHTS))
    with pytest.raises(CutOffError):
        fetch_checkpoint(model)
    fetch_checkpoint(model)
    assert hub.asked(RELEASED)[-1].headers["range"] == "bytes=1000-"
    assert _on_disk(store) == {"tiny.pt": WEIGHTS}


def test_halves_of_two_releases_are_never_joined(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    hub.cuts[RELEASED] = 1000
    with pytest.raises(CutOffError):
        fetch_checkpoint(_released(hub))
    replaced = bytes(reversed(WEIGHTS))
    hub.plain[RELEASED] = replaced
    fetch_checkpoint(_released(hub))
    assert hub.asked(RELEASED)[-1].headers["if-range"] == f'"{_sha(WEIGHTS)}"'
    assert _on_disk(store) == {"tiny.pt": replaced}


def test_without_hash_and_tag_a_download_begins_anew(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    hub.tags = False
    hub.cuts[RELEASED] = 1000
    with pytest.raises(CutOffError):
        fetch_checkpoint(_released(hub))
    fetch_checkpoint(_released(hub))
    assert "range" not in hub.asked(RELEASED)[-1].headers
    assert _on_disk(store) == {"tiny.pt": WEIGHTS}


def test_a_part_that_is_longer_than_the_file_begins_anew(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    part = store / ".zoo/checkpoints/tiny/tiny.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS + b"and more")
    fetch_checkpoint(_released(hub, _sha(WEIGHTS)))
    assert hub.asked(RELEASED)[0].headers["range"] == f"bytes={len(WEIGHTS) + 8}-"
    assert "range" not in hub.asked(RELEASED)[1].headers
    assert _on_disk(store) == {"tiny.pt": WEIGHTS}


def test_another_size_is_refused_before_it_is_downloaded(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    model = _pinned()
    hub.repositories[ID][FIRST]["model.safetensors"] = WEIGHTS + b"more"
    with pytest.raises(ContentError, match=rf"has {len(WEIGHTS) + 4} bytes.*says {len(WEIGHTS)}"):
        _pull(hub, model)
    assert set(_on_disk(store)) == {"config.json"}


def test_a_mirror_takes_the_place_of_a_releases_host(hub: ModelHub) -> None:
    _serve(hub)
    origin = Release("https://releases.invalid/maker/zoo/releases/download/checkpoints")
    model = _model(PublishedFile("tiny.pt", origin, _sha(WEIGHTS)), checkpoint="tiny.pt")
    checkpoint = fetch_checkpoint(model, mirror=f"{hub.url}/")
    assert checkpoint.path.read_bytes() == WEIGHTS
    assert checkpoint.source.startswith("https://releases.invalid/maker/zoo")
    assert f"by way of {hub.url}" in checkpoint.source


def test_a_proxy_is_used_as_the_environment_says(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(hub)
    with recording_proxy() as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)
        _pull(hub, _at_the_hub())
        assert seen == [
            f"{hub.url}/api/models/{ID}/revision/main?blobs=true",
            f"{hub.url}/{ID}/resolve/{FIRST}/config.json",
            f"{hub.url}/{ID}/resolve/{FIRST}/model.safetensors",
            f"{hub.cdn}/cdn/{_sha(WEIGHTS)}",
        ]


def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://user:hunter2@proxy.invalid:70")
    with pytest.raises(UnreachableError, match="proxy settings") as caught:
        _pull(hub, _pinned())
    assert "hunter2" not in str(caught.value)


def test_offline_is_respected(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(hub)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for model in (_pinned(), _at_the_hub(), _released(hub)):
        with pytest.raises(OfflineError, match=r"HF_HUB_OFFLINE.*models import"):
            _pull(hub, model)
    assert hub.requests == []


def test_a_name_that_cannot_be_resolved_is_told(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> Any:
        """A stand-in for a resolver that knows no host."""
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError, match=r"name of hub\.invalid.*cannot be resolved"):
        fetch_checkpoint(_pinned(), mirror="http://hub.invalid")


def test_a_closed_port_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"cannot connect.*refused.*models import"):
            fetch_checkpoint(_pinned(), mirror=closed)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessError), (403, AccessError), (404, NotPublishedError), (503, ServerError)],
)
@pytest.mark.parametrize("path", [f"/api/models/{ID}/revision/main", f"/{ID}/resolve/{FIRST}/"])
def test_a_refusal_has_a_type_of_its_own(
    hub: ModelHub, status: int, error: type[BundleError], path: str
) -> None:
    _serve(hub)
    hub.statuses[path if path.startswith("/api") else f"{path}config.json"] = status
    with pytest.raises(error, match=f"HTTP {status}"):
        _pull(hub, _at_the_hub())


def test_a_login_page_is_neither_a_hub_nor_a_file(hub: ModelHub, store: Path) -> None:
    _serve(hub)
    hub.statuses[f"/api/models/{ID}/revision/main"] = 200
    with pytest.raises(ServerError, match="does not answer as a hub does"):
        _pull(hub, _at_the_hub())
    hub.types[RELEASED] = "text/html; charset=utf-8"
    with pytest.raises(ServerError, match=r"web page instead of tiny\.pt"):
        fetch_checkpoint(_released(hub))
    assert _on_disk(store) == {}


@pytest.mark.parametrize(
    "mirror", ["mirror.example", "ftp://me:hunter2@mirror.example", "https://", "http://a:port"]
)
def test_a_mirror_that_is_no_url_is_told(mirror: str) -> None:
    with pytest.raises(UnreachableError, match="no http or https URL") as caught:
        fetch_checkpoint(_pinned(), mirror=mirror)
    assert "hunter2" not in str(caught.value)


def test_a_mirrors_password_is_not_shown(hub: ModelHub) -> None:
    _serve(hub)
    mirror = hub.url.replace("//", "//me:hunter2@")
    checkpoint = fetch_checkpoint(_pinned(), mirror=mirror)
    assert "hunter2" not in checkpoint.source
    checkpoint.discard()
    hub.statuses[f"/{ID}/resolve/{FIRST}/config.json"] = 403
    with pytest.raises(AccessError) as caught:
        fetch_checkpoint(_pinned(), mirror=mirror)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_the_commit_lacks_is_named(hub: ModelHub) -> None:
    _serve(hub)
    del hub.repositories[ID][FIRST]["config.json"]
    with pytest.raises(NotPublishedError, match=rf"no config\.json at {FIRST}"):
        _pull(hub, _at_the_hub())


def test_a_full_disk_is_told_before_the_first_byte(
    hub: ModelHub, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(hub)
    usage = shutil.disk_usage(store.parent)._replace(free=len(WEIGHTS))

    def disk_usage(_path: Path) -> Any:
        return usage

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with pytest.raises(BundleError, match=r"needs 3\.1 MB, 3\.1 MB are free"):
        _pull(hub, _pinned())
    assert hub.requests == []


def test_a_missing_or_ancient_huggingface_hub_is_told(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "__version__", "0.36.2")
    with pytest.raises(ToolMissingError, match=r"0\.36\.2 is older"):
        _pull(hub, _pinned())
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ToolMissingError, match=r"huggingface_hub.*edge-daemon\[export\]"):
        _pull(hub, _pinned())


def test_a_token_goes_to_no_mirror_and_into_no_message(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _serve(hub)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.statuses[f"/{ID}/resolve/{FIRST}/model.safetensors"] = 403
    with pytest.raises(AccessError) as caught:
        _pull(hub, _at_the_hub())
    assert not any("authorization" in request.headers for request in hub.requests)
    assert "hf_secret" not in str(caught.value) + caplog.text


_FROM_THE_ENDPOINT = """
import sys
from models import BundleError
from models.zoo.checkpoints import fetch_checkpoint
from models.zoo.published import PublishedFile, PublishedModel, Repository
origin = Repository("maker/tiny", None)
files = PublishedFile("config.json", origin), PublishedFile("model.safetensors", origin)
model = PublishedModel("tiny", "", "", 8, 1, 1, 0.1, "MIT", files)
try:
    print(fetch_checkpoint(model))
except BundleError as error:
    sys.exit(str(error))
"""


def test_hf_endpoint_gets_the_token_and_what_it_redirects_to_does_not(
    hub: ModelHub, store: Path, tmp_path: Path
) -> None:
    _serve(hub)
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_secret",
        "HF_HOME": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", _FROM_THE_ENDPOINT],
        cwd=Path(models.__file__).parent.parent,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "hf_secret" not in run.stdout + run.stderr
    assert _on_disk(store)["model.safetensors"] == WEIGHTS
    asked = {request.path: request.headers.get("authorization") for request in hub.requests}
    assert asked.pop(f"/cdn/{_sha(WEIGHTS)}") is None
    assert set(asked.values()) == {"Bearer hf_secret"}
