"""An engine at work: buckets, graphs, buffers and faults, on stand-ins for TensorRT and CUDA."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tensorrt import calls
from models.tensorrt.buckets import BUCKETS
from models.tensorrt.errors import TensorRTError
from models.tensorrt.key import BuildOptions
from models.tensorrt.progress import Phases
from models.tensorrt.session import TensorRTSession
from support.gpu_stand_in import Faults, Machine
from support.gpu_stand_in.cuda import Error
from support.image_graph import GPU, ImageGraph


def go_on(share: float, phase: str) -> bool:
    return True


def open_session(graph: ImageGraph) -> TensorRTSession:
    plan, _ = calls.build(
        graph.content,
        graph.spec,
        BUCKETS,
        BuildOptions(),
        timing_cache=b"",
        progress=Phases(go_on),
    )
    return TensorRTSession(plan, graph.spec, GPU)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 24, 33, 40])
def test_embeddings_are_the_graphs(
    rows: int, gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8]
) -> None:
    session = open_session(graph)
    for part in (tiles[:rows], tiles[::-1][:rows]):  # the second finds the first's in the buffers
        np.testing.assert_allclose(session.encode(part), graph.cpu.encode(part), atol=1e-6)


def test_every_bucket_is_run_once_and_captured_once(gpu: Machine, graph: ImageGraph) -> None:
    session = open_session(graph)
    expected = [run for rows in BUCKETS for run in ((rows, False), (rows, True))]
    assert gpu.seen.runs == expected
    for rows in (3, 20, 3):
        session.encode(np.zeros((rows, 224, 224, 3), np.uint8))
    assert gpu.seen.runs == expected, "TensorRT was called again"
    assert gpu.cuda.calls.count("cudaGraphLaunch") == 3
    assert session.describe()["graphs"] == list(BUCKETS)
    assert "without_graphs" not in session.describe()


def test_what_cannot_be_captured_is_queued_and_said_so(
    gpu: Machine,
    graph: ImageGraph,
    tiles: NDArray[np.uint8],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gpu.faults = Faults(captures=False)
    session = open_session(graph)
    np.testing.assert_allclose(session.encode(tiles[:9]), graph.cpu.encode(tiles[:9]), atol=1e-6)
    assert gpu.cuda.calls.count("cudaGraphLaunch") == 0
    described = session.describe()
    assert described["graphs"] == []
    assert "not permitted when stream is capturing" in described["without_graphs"]
    assert caplog.text.count("cannot be captured as a CUDA graph") == len(BUCKETS)


def test_no_rows_need_no_gpu(gpu: Machine, graph: ImageGraph) -> None:
    session = open_session(graph)
    before = len(gpu.cuda.calls)
    assert session.encode(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0, 8)
    assert len(gpu.cuda.calls) == before


def test_too_many_rows_are_refused(gpu: Machine, graph: ImageGraph) -> None:
    with pytest.raises(ValueError, match="at most 40 rows, got 41"):
        open_session(graph).encode(np.zeros((41, 224, 224, 3), np.uint8))


def test_results_stay_when_the_buffers_are_used_again(
    gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8]
) -> None:
    session = open_session(graph)
    first = session.encode(tiles[:4])
    kept = np.array(first)
    session.encode(tiles[4:8])
    np.testing.assert_array_equal(first, kept)


def test_threads_share_a_session(gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8]) -> None:
    session = open_session(graph)
    expected = graph.cpu.encode(tiles)

    def work(first: int) -> None:
        rows = slice(first, first + 1 + first % 9)
        np.testing.assert_allclose(session.encode(tiles[rows]), expected[rows], atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(20)))


@pytest.mark.parametrize("function", ["cudaGraphLaunch", "cudaStreamSynchronize"])
def test_a_fault_of_the_gpu_is_an_error(
    function: str, gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8]
) -> None:
    session = open_session(graph)
    gpu.cuda.fail[function] = Error.cudaErrorIllegalAddress
    with pytest.raises(TensorRTError, match=f"{function} failed: cudaErrorIllegalAddress"):
        session.encode(tiles[:1])


@pytest.mark.parametrize("function", ["cudaMalloc", "cudaHostAlloc"])
def test_too_little_memory_is_an_error_and_leaves_none_behind(
    function: str, gpu: Machine, graph: ImageGraph
) -> None:
    gpu.cuda.fail[function] = Error.cudaErrorMemoryAllocation
    with pytest.raises(TensorRTError, match=f"{function} failed: cudaErrorMemoryAllocation"):
        open_session(graph)
    gc.collect()
    assert gpu.cuda.allocations == {}
    assert gpu.cuda.streams == {}


def test_all_is_given_back(gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8]) -> None:
    session = open_session(graph)
    session.encode(tiles[:5])
    kinds = sorted(one.kind for one in gpu.cuda.allocations.values())
    assert kinds == ["device", "device", "device", "pinned", "pinned"]
    del session
    gc.collect()
    assert gpu.cuda.allocations == {}
    assert gpu.cuda.streams == {}


def test_graphs_that_take_planes_are_served_as_well(gpu: Machine, tmp_path: Path) -> None:
    graph = ImageGraph.tiny(tmp_path / "older", "pixels")
    planes = np.random.default_rng(3).normal(size=(11, 3, 224, 224)).astype(np.float32)
    found = open_session(graph).encode(planes)
    np.testing.assert_allclose(found, graph.cpu.encode(planes), atol=1e-6)
