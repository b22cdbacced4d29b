from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from edge_daemon.cli import main
from edge_daemon.pictures import save_picture
from support.tiny_bundle import make_tiny_bundle


class Edge(Protocol):
    """Run `edge-daemon` with arguments; returns all that it said."""

    def __call__(self, *arguments: str | Path, fails: int = 0) -> str: ...


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Edge:
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path, fails: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["edge-daemon", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = "".join(capsys.readouterr())
        assert (ended.value.code or 0) == fails, said
        return said

    return run


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red noise on the left, blue noise on the right; odd sizes."""
    noise = np.random.default_rng(0).integers(0, 60, (301, 601, 3), dtype=np.uint8)
    noise[:, :300, 0] += 180
    noise[:, 300:, 2] += 180
    file = tmp_path_factory.mktemp("photos") / "halves.png"
    save_picture(noise, file)
    return file
