from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.prefilter import Prefilter
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def prefilter(bundle: Path) -> Prefilter:
    return Prefilter.from_bundle(bundle, backend="cpu", threads=1)


@pytest.fixture(scope="session")
def halves() -> NDArray[np.uint8]:
    """Grey noise over red on the left, over blue on the right; odd sizes."""
    noise = np.random.default_rng(0).integers(0, 60, (301, 601, 1), dtype=np.uint8)
    pixels = np.repeat(noise, 3, axis=2)
    pixels[:, :300, 0] += 180
    pixels[:, 300:, 2] += 180
    return pixels
