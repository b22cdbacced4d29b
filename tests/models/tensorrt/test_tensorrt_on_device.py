"""The real thing, where there is a GPU with TensorRT: all that a stand-in cannot vouch for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import CoarseSigma, cuda, varying_gaussian
from kernels.cuda_stream import StreamSmoother
from models import tensorrt
from models.tensorrt import driver
from models.tensorrt.buckets import BUCKETS
from models.tensorrt.build import BuildRequest, build_in_child
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import BrokenEngineError
from models.tensorrt.proven import open_proven
from models.tensorrt.session import TensorRTSession
from support.image_graph import ImageGraph
from support.pixels import noise

PROBLEM = tensorrt.problem()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM or "none")]


@pytest.fixture(scope="module")
def built(graph: ImageGraph, tmp_path_factory: pytest.TempPathFactory) -> EngineStore:
    store = EngineStore([tmp_path_factory.mktemp("engines")])
    sha256 = graph.key().graph_sha256
    told: list[float] = []
    build_in_child(
        BuildRequest.of(graph.file, sha256, store, graph.spec),
        lambda share, phase: told.append(share),
    )
    assert told == sorted(told)
    return store


@pytest.fixture(scope="module")
def session(graph: ImageGraph, built: EngineStore) -> TensorRTSession:
    opened = open_proven(built, graph.key(), graph.spec, graph.manifest, driver.probe(), graph.cpu)
    assert opened is not None
    assert opened[1].least_cosine > 0.999
    return opened[0]


def test_every_bucket_is_a_graph(session: TensorRTSession) -> None:
    assert session.describe()["graphs"] == list(BUCKETS)


@pytest.mark.parametrize("rows", [1, 8, 9, 24, 40])
def test_embeddings_are_the_cpus(
    rows: int, session: TensorRTSession, graph: ImageGraph, tiles: NDArray[np.uint8]
) -> None:
    np.testing.assert_allclose(
        session.encode(tiles[:rows]), graph.cpu.encode(tiles[:rows]), atol=2e-3
    )


def test_garbage_is_refused_and_costs_no_process(graph: ImageGraph, built: EngineStore) -> None:
    found = built.find(graph.key())
    assert found is not None
    for plan in (b"garbage", found[1][: len(found[1]) // 2]):
        with pytest.raises(BrokenEngineError):
            TensorRTSession(plan, graph.spec, driver.probe())


@pytest.mark.skipif(cuda.status() != "available", reason=f"the CUDA kernel is {cuda.status()}")
def test_the_smoothing_kernel_shares_the_stream(
    session: TensorRTSession, graph: ImageGraph, tiles: NDArray[np.uint8], tmp_path: Path
) -> None:
    smoother = StreamSmoother(session.stream.address)
    image = noise(120, 200)
    sigma = CoarseSigma.covering(np.array([[0.2, 3.0], [1.0, 6.0]], np.float32), 120, 200)
    expected = varying_gaussian(image, sigma)
    for _ in range(3):
        session.encode(tiles[:5])
        smoothed = smoother.smooth(image, sigma)
        assert np.abs(smoothed.astype(int) - expected).max() <= 1
