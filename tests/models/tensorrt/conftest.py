from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.gpu_stand_in import Machine, put_in
from support.gpu_stand_in.tensorrt_api import VERSIONS
from support.image_graph import ImageGraph

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ImageGraph:
    return ImageGraph.tiny(tmp_path_factory.mktemp("tensorrt") / "tiny")


@pytest.fixture(params=VERSIONS)
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a GPU and each version of TensorRT in turn; all of it stands in."""
    machine = Machine(version=request.param)
    put_in(machine, monkeypatch)
    return machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a GPU and JetPack 6's TensorRT; all of it stands in."""
    machine = Machine()
    put_in(machine, monkeypatch)
    return machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Rules of CUDA's that are broken when memory is given back are failures too."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(
                pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
            )


@pytest.fixture(scope="session")
def tiles() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 224, 224, 3), np.uint8)
