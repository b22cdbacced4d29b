"""Who serves while an engine is built, and what becomes of engines that are no good."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Bundle, load_bundle, tensorrt
from models.preprocess import Normalising
from models.tensorrt.build import BuildRequest, build_engine
from models.tensorrt.engines import EngineStore
from models.tensorrt.standby import StandbySession
from support.gpu_stand_in import Faults, Machine, put_in
from support.gpu_stand_in.cuda import Error
from support.image_graph import ImageGraph
from support.waiting import wait_until


def open_session(graph: ImageGraph, engines: Path, *, build: bool = True) -> StandbySession:
    return tensorrt.open_session(
        graph.content,
        graph.spec,
        manifest=graph.manifest,
        engines=engines,
        standby=graph.cpu,
        file=graph.file,
        build=build,
    )


def build(graph: ImageGraph, engines: Path) -> None:
    """Builds the engine in this process."""
    sha256 = graph.key().graph_sha256
    store = EngineStore.beside(engines)
    build_engine(BuildRequest.of(graph.file, sha256, store, graph.spec), lambda share, phase: True)


def state(session: StandbySession) -> dict[str, Any]:
    return session.describe()["tensorrt"]


def settled(session: StandbySession) -> dict[str, Any]:
    wait_until(lambda: state(session)["state"] != "building", 60)
    return state(session)


def test_the_cpu_serves_until_the_engine_is_built(
    gpu: Machine, graph: ImageGraph, tiles: NDArray[np.uint8], tmp_path: Path
) -> None:
    session = open_session(graph, tmp_path / "engines")
    expected = graph.cpu.encode(tiles)
    described = session.describe()
    assert described["backend"].startswith("onnxruntime")
    assert described["tensorrt"]["state"] == "building"
    assert session.stream is None
    np.testing.assert_allclose(session.encode(tiles), expected, atol=1e-6)
    assert settled(session) == {"state": "serving", "engine": graph.key().file_name}
    assert session.describe()["backend"] == f"tensorrt {gpu.version}"
    assert session.stream is not None
    launched = gpu.cuda.calls.count("cudaGraphLaunch")
    np.testing.assert_allclose(session.encode(tiles), expected, atol=1e-6)
    assert gpu.cuda.calls.count("cudaGraphLaunch") == launched + 1


def test_an_engine_that_is_there_serves_at_once(
    machine: Machine, graph: ImageGraph, tmp_path: Path
) -> None:
    build(graph, tmp_path / "engines")
    session = open_session(graph, tmp_path / "engines", build=False)
    assert state(session)["state"] == "serving"


def test_nothing_is_built_if_it_is_not_to_be(
    machine: Machine, graph: ImageGraph, tiles: NDArray[np.uint8], tmp_path: Path
) -> None:
    session = open_session(graph, tmp_path / "engines", build=False)
    assert state(session) == {"state": "absent", "reason": "edge-daemon engines build makes one"}
    assert session.encode(tiles[:0]).shape == (0, 8)
    assert not (tmp_path / "engines").exists()


def test_a_new_key_is_a_new_engine_while_the_cpu_serves(
    graph: ImageGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(version="10.3.0"), monkeypatch)
    build(graph, tmp_path / "engines")
    put_in(Machine(version="11.4.0.106"), monkeypatch)
    session = open_session(graph, tmp_path / "engines")
    assert state(session)["state"] == "building"
    assert settled(session)["engine"] == graph.key().file_name
    store = EngineStore.beside(tmp_path / "engines")
    assert [record.tensorrt for _, record in store.records()] == ["10.3.0", "11.4.0.106"]


def test_a_broken_engine_is_put_aside_and_built_again(
    machine: Machine, graph: ImageGraph, tmp_path: Path
) -> None:
    store = EngineStore.beside(tmp_path / "engines")
    store.write(graph.key(), b"garbage", gpu="Orin", build_s=600.0)
    session = open_session(graph, tmp_path / "engines")
    assert "Magic tag" in store.broken()[0][1]
    assert state(session)["state"] == "building"
    assert settled(session)["state"] == "serving"


def test_how_long_it_takes_is_told_from_the_last_time(
    graph: ImageGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(version="11.4.0.106"), monkeypatch)
    store = EngineStore.beside(tmp_path / "engines")
    store.write(graph.key(), b"", gpu="Orin", build_s=600.0)
    put_in(Machine(version="10.3.0"), monkeypatch)
    session = open_session(graph, tmp_path / "engines")
    assert 500 <= state(session)["seconds_left"] <= 600
    settled(session)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(build="no tactic"), "no engine could be built: TensorRT built no engine: no tact"),
        (Faults(crash=True), "no engine could be built: the process that builds died"),
    ],
)
def test_the_cpu_goes_on_where_no_engine_can_be_built(
    faults: Faults,
    reason: str,
    graph: ImageGraph,
    tiles: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_in(Machine(faults=faults), monkeypatch)
    session = open_session(graph, tmp_path / "engines")
    found = settled(session)
    assert found["state"] == "failed"
    assert reason in found["reason"]
    assert f"images are not encoded by TensorRT: {reason}" in caplog.text
    np.testing.assert_array_equal(session.encode(tiles[:3]), graph.cpu.encode(tiles[:3]))


@pytest.mark.parametrize("error", [0.2, float("nan")])
def test_an_engine_that_disagrees_never_serves(
    error: float,
    graph: ImageGraph,
    tiles: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_in(Machine(faults=Faults(disagree=error)), monkeypatch)
    session = open_session(graph, tmp_path / "engines")
    assert settled(session)["state"] == "failed"
    assert "the engine and the CPU disagree: cosine" in state(session)["reason"]
    store = EngineStore.beside(tmp_path / "engines")
    assert store.find(graph.key()) is None
    assert "the engine and the CPU disagree" in store.broken()[0][1]
    np.testing.assert_array_equal(session.encode(tiles[:3]), graph.cpu.encode(tiles[:3]))


def test_an_engine_that_cannot_be_run_is_kept_and_not_built_again(
    machine: Machine, graph: ImageGraph, tmp_path: Path
) -> None:
    build(graph, tmp_path / "engines")
    machine.cuda.fail["cudaMalloc"] = Error.cudaErrorMemoryAllocation
    session = open_session(graph, tmp_path / "engines")
    assert state(session)["state"] == "failed"
    assert "cudaErrorMemoryAllocation" in state(session)["reason"]
    assert EngineStore.beside(tmp_path / "engines").find(graph.key()) is not None


def test_a_fault_of_the_gpu_costs_no_tiles(
    machine: Machine,
    graph: ImageGraph,
    tiles: NDArray[np.uint8],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    build(graph, tmp_path / "engines")
    session = open_session(graph, tmp_path / "engines")
    machine.cuda.fail["cudaStreamSynchronize"] = Error.cudaErrorIllegalAddress
    with caplog.at_level(logging.ERROR):
        found = session.encode(tiles)
    np.testing.assert_allclose(found, graph.cpu.encode(tiles), atol=1e-6)
    assert state(session)["state"] == "failed"
    assert "the GPU failed at 40 tiles: CUDA's cudaStreamSynchronize failed" in caplog.text
    assert session.describe()["backend"].startswith("onnxruntime")
    assert session.stream is None


@pytest.mark.parametrize("image_input", ["tiles", "pixels"])
def test_a_bundle_on_tensorrt_is_the_bundle(
    image_input: Any,
    tiles: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_in(Machine(), monkeypatch)
    graph = ImageGraph.tiny(tmp_path / "tiny", image_input)
    plain = load_bundle(tmp_path / "tiny", threads=1)
    session = open_session(graph, tmp_path / "engines")
    manifest = graph.manifest
    image = session if image_input == "tiles" else Normalising(session, manifest.mean, manifest.std)
    bundle = Bundle(manifest, None, image, graph.cpu)  # type: ignore[arg-type]
    assert bundle.image_stream is None
    assert settled(session)["state"] == "serving"
    assert bundle.image_stream is session.stream
    many = np.concatenate([tiles, tiles[::-1][:7]])
    np.testing.assert_allclose(bundle.encode_tiles(many), plain.encode_tiles(many), atol=1e-6)
