"""Building and loading, against a stand-in for TensorRT of either version."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.session import GraphSpec
from models.tensorrt import calls, problem
from models.tensorrt.buckets import BUCKETS
from models.tensorrt.errors import BrokenEngineError, TensorRTError
from models.tensorrt.key import BuildOptions
from models.tensorrt.progress import Phases
from support.gpu_stand_in import DriverStandIn, Faults, Machine, put_in
from support.image_graph import ImageGraph


def build(graph: ImageGraph, timing_cache: bytes = b"", until: float = 2.0) -> tuple[bytes, bytes]:
    return calls.build(
        graph.content,
        graph.spec,
        BUCKETS,
        BuildOptions(workspace_bytes=1 << 28),
        timing_cache=timing_cache,
        progress=Phases(lambda share, _: share < until),
    )


def test_an_engine_has_a_profile_for_every_bucket(gpu: Machine, graph: ImageGraph) -> None:
    plan, _ = build(graph)
    engine = calls.Engine(plan)
    engine.check(graph.spec, BUCKETS)
    with pytest.raises(BrokenEngineError, match="profiles are"):
        engine.check(graph.spec, BUCKETS[:2])
    assert gpu.seen.workspace_bytes == 1 << 28
    assert gpu.seen.aux_streams == 0


def test_types_are_the_graphs_in_either_version(gpu: Machine, graph: ImageGraph) -> None:
    build(graph)
    strongly_typed = 1 << 1  # NetworkDefinitionCreationFlag.STRONGLY_TYPED of 10.x
    assert gpu.seen.network_flags == [0 if gpu.version.startswith("11") else strongly_typed]


def test_the_timing_cache_saves_the_next_build_its_measuring(
    gpu: Machine, graph: ImageGraph
) -> None:
    _, timings = build(graph)
    measured = gpu.seen.steps
    assert measured > 0
    build(graph, timings)
    assert gpu.seen.steps == measured


@pytest.mark.parametrize("kind", ["garbage", "of another GPU"])
def test_a_timing_cache_of_no_use_is_not_used(
    kind: str,
    gpu: Machine,
    graph: ImageGraph,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    timings = b"garbage"
    if kind == "of another GPU":
        _, timings = build(graph)
        gpu = Machine(gpu.version, driver=DriverStandIn(processors=14))
        put_in(gpu, monkeypatch)
    measured = gpu.seen.steps
    build(graph, timings)
    assert gpu.seen.steps > measured
    assert "the timing cache of an earlier build is of no use" in caplog.text


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(parse="node 7 (Frobnicate): no importer"), "cannot read the graph: node 7 \\(Frob"),
        (Faults(build="no tactic found"), "TensorRT built no engine: no tactic found"),
    ],
)
def test_why_there_is_no_engine_is_in_tensorrts_words(
    faults: Faults, message: str, gpu: Machine, graph: ImageGraph
) -> None:
    gpu.faults = faults
    with pytest.raises(TensorRTError, match=message):
        build(graph)


def test_a_build_can_be_ended(gpu: Machine, graph: ImageGraph) -> None:
    with pytest.raises(TensorRTError, match="the build was cancelled"):
        build(graph, until=0.5)
    assert 0 < gpu.seen.steps < 4 * len(BUCKETS)


def test_plans_that_are_none_or_anothers_are_refused(
    gpu: Machine, graph: ImageGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BrokenEngineError, match="cannot load the engine: Magic tag"):
        calls.Engine(b"garbage")
    plan, _ = build(graph)
    put_in(Machine(gpu.version, driver=DriverStandIn(capability=(8, 6))), monkeypatch)
    with pytest.raises(BrokenEngineError, match="cannot load the engine: The engine plan file is"):
        calls.Engine(plan)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (GraphSpec("pixels", np.float32, (3, 224, 224), 8), "the engine has .'tiles', 'embedding'"),
        (GraphSpec("tiles", np.uint8, (112, 112, 3), 8), "the engine's tiles is"),
        (GraphSpec("tiles", np.float32, (224, 224, 3), 8), "the engine's tiles is"),
        (GraphSpec("tiles", np.uint8, (224, 224, 3), 16), "the engine's embedding is"),
    ],
)
def test_another_graphs_engine_is_refused(
    spec: GraphSpec, message: str, gpu: Machine, graph: ImageGraph
) -> None:
    engine = calls.Engine(build(graph)[0])
    with pytest.raises(BrokenEngineError, match=message):
        engine.check(spec, BUCKETS)


def test_with_driver_and_packages_nothing_is_in_the_way(gpu: Machine) -> None:
    assert problem() == ""


def test_tensorrt_is_not_touched_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runtime would end the process."""
    put_in(Machine(driver=DriverStandIn(fail={"cuInit": 100})), monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "cuInit failed" in problem()


@pytest.mark.parametrize("name", ["tensorrt", "cuda.bindings.runtime"])
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(Machine(), monkeypatch)
    monkeypatch.setitem(sys.modules, name, None)
    assert f"{name.removesuffix('.runtime')} cannot be imported" in problem()


def test_versions_that_nobody_has_read_up_on_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(Machine(), monkeypatch)
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", "12.0.0")
    assert problem() == "TensorRT 12.0.0 is neither 10.x nor 11.x; install one of those"
