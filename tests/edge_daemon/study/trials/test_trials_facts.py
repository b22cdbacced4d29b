from __future__ import annotations

import json
import platform
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from edge_daemon.codecs import codec_status
from edge_daemon.settings import PrefilterSettings, PromptSettings, Settings
from edge_daemon.study.trials.facts import facts_of
from models import load_bundle


def test_all_that_the_figures_depend_on_is_told() -> None:
    manifest = load_bundle("nano-icons", threads=1).manifest
    facts = facts_of(
        "edge-daemon study run --seed 5",
        seed=5,
        settings=Settings(
            prefilter=PrefilterSettings(sigma_max=7.0), prompt=PromptSettings(max_bytes=99)
        ),
        manifest=manifest,
        codecs=["jpeg", "hevc"],
        tasks={"blobs": {"consumer": "a ruler"}},
        options={"qualities": {"jpeg": [10, 20]}},
    )
    assert json.loads(json.dumps(facts)) == facts
    assert facts["command"] == "edge-daemon study run --seed 5"
    assert facts["seed"] == 5
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["versions"]["numpy"] == version("numpy")
    assert facts["codecs"].keys() == {"jpeg", "hevc"}
    assert codec_status("jpeg").version in facts["codecs"]["jpeg"]
    assert (facts["bundle"], facts["notice"]) == ("nano-icons", manifest.notice)
    assert facts["bundle_files"]["image.onnx"] == manifest.files["image.onnx"].sha256
    assert facts["tasks"] == {"blobs": {"consumer": "a ruler"}}
    assert facts["options"] == {"qualities": {"jpeg": [10, 20]}}
    assert facts["prefilter"]["sigma_max"] == 7.0
    assert facts["prompt"]["max_bytes"] == 99
    age = datetime.now(timezone.utc) - datetime.fromisoformat(facts["date"])
    assert timedelta() <= age < timedelta(minutes=5)
