"""What can run the encoder here, and choosing it, through the command line's own front door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import pytest

from edge_daemon.cli.backends import told
from models.backends import BACKENDS


class Edge(Protocol):
    def __call__(self, *arguments: str | Path, fails: int = 0) -> str: ...


def test_backends_lists_every_one_and_why_some_cannot(edge: Edge, bundle: Path) -> None:
    listed = json.loads(edge("backends", bundle, "--json"))
    assert listed.keys() == BACKENDS.keys()
    assert listed["cpu"]["version"].startswith("onnxruntime ")
    assert [name for name, status in listed.items() if status["auto"]] != []
    for status in listed.values():
        assert bool(status["problem"]) != bool(status["runs_on"])
    table = edge("backends", bundle)
    assert "tiny-colours, fp32" in table
    assert all(name in table for name in listed)
    assert "takes it" in table


def test_backends_takes_the_settings_bundle_and_threads(
    edge: Edge, bundle: Path, tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(f'bundle = "{bundle}"\n[stages]\nencoder_threads = 1\n', encoding="utf-8")
    listed = json.loads(edge("backends", "--config", config, "--json"))
    assert listed["cpu"]["runs_on"]["threads"] == 1
    assert "tiny-colours" in edge("backends", "--config", config)


def test_a_bundle_that_is_not_there_is_a_message(edge: Edge) -> None:
    assert "no bundle 'nowhere'" in edge("backends", "nowhere", fails=1)


def test_filter_and_explain_take_a_backend(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jpg"
    common = (photo, "-p", "red", "-o", output, "--bundle", bundle, "--backend")
    edge("filter", *common, "cpu")
    assert output.exists()
    edge("explain", *common[:-3], "--bundle", bundle, "--backend", "cpu")
    assert "Invalid value" in edge("filter", *common, "gpu", fails=2)


@pytest.mark.skipif(not BACKENDS["cuda"].problem(), reason="CUDA can serve here")
def test_a_backend_that_cannot_serve_is_a_message_wherever_it_is_named(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(f'bundle = "{bundle}"\n[encoder]\nbackend = "cuda"\n', encoding="utf-8")
    output = tmp_path / "out.jpg"
    for arguments in (
        ("check-config", config),
        ("serve", "--config", config),
        ("filter", photo, "-p", "red", "-o", output, "--bundle", bundle, "--backend", "cuda"),
    ):
        said = edge(*arguments, fails=1)
        assert "the backend 'cuda' cannot serve" in said
        assert BACKENDS["cuda"].problem().split(";")[0] in said
    assert not output.exists()


def test_a_session_is_told_in_words() -> None:
    described = {
        "backend": "onnxruntime 1.2.3",
        "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
        "nodes": {"CUDAExecutionProvider": 90, "CPUExecutionProvider": 2},
        "inference_precision": "f32",
    }
    assert told(described) == (
        "providers CUDAExecutionProvider CPUExecutionProvider, "
        "nodes CUDAExecutionProvider 90; CPUExecutionProvider 2, inference precision f32"
    )
