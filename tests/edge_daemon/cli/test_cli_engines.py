"""`edge-daemon engines` and `edge-daemon selftest`, with and without a stand-in for a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_daemon.cli import selftest
from models.tensorrt.engines import EngineStore
from support.gpu_stand_in import DriverStandIn, Faults, Machine, put_in
from support.gpu_stand_in.cuda import Error
from support.image_graph import ImageGraph
from support.tiny_bundle import make_tiny_bundle

Edge = Callable[..., str]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle without engines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_tiny_bundle(tmp_path / "tiny")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    put_in(machine, monkeypatch)
    return machine


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(Machine(driver=DriverStandIn(devices=0)), monkeypatch)


def test_an_engine_is_built_proven_listed_and_found(
    edge: Edge, fresh: Path, machine: Machine
) -> None:
    assert "no engine yet: edge-daemon engines build" in edge("engines", "list", fresh)
    said = edge("engines", "build", fresh)
    assert "100 %" in said
    assert "agrees with the CPU: cosine 1.00000 at least" in said
    listed = json.loads(edge("engines", "list", fresh, "--json"))
    (engine,) = listed["engines"]
    assert engine["used"] is True
    assert engine["tensorrt"] == "10.3.0"
    assert Path(engine["file"]).stat().st_size == engine["bytes"]
    assert (listed["problem"], listed["broken"]) == ("", [])
    assert "1 engines, " in edge("engines", "list", fresh)
    modified = Path(engine["file"]).stat().st_mtime_ns
    edge("engines", "build", fresh)
    assert Path(engine["file"]).stat().st_mtime_ns == modified


def test_prune_leaves_what_this_machine_needs(
    edge: Edge, fresh: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge("engines", "build", fresh)
    newer = Machine(version="11.4.0.106")
    put_in(newer, monkeypatch)
    assert "no engine yet" in edge("engines", "list", fresh)
    edge("engines", "build", fresh)
    said = edge("engines", "prune", fresh)
    assert said.count("removed ") == 3  # engine, record, timing cache
    names = [path.name for path, _ in EngineStore.beside(fresh / "engines").records()]
    assert names == [ImageGraph.of(fresh).key().file_name]


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(parse="no importer for Frobnicate"), "cannot read the graph: no importer"),
        (Faults(disagree=0.2), "the engine and the CPU disagree: cosine"),
    ],
)
def test_no_engine_is_no_success(
    faults: Faults, message: str, edge: Edge, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(faults=faults), monkeypatch)
    assert message in edge("engines", "build", fresh, fails=1)
    assert "no engine yet" in edge("engines", "list", fresh)
    if faults.disagree:
        assert "put aside: " in edge("engines", "list", fresh)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_reason_is_told(edge: Edge, fresh: Path) -> None:
    for command in ("build", "prune"):
        assert "the driver sees no GPU; check CUDA" in edge("engines", command, fresh, fails=1)
    assert "TensorRT cannot serve here: the driver sees no GPU" in edge("engines", "list", fresh)


def rows(said: str) -> dict[str, dict[str, str]]:
    (line,) = [line for line in said.splitlines() if line.startswith("[{")]  # beside the log
    return {row["backend"]: row for row in json.loads(line)}


@pytest.mark.usefixtures("no_gpu")
def test_a_machine_without_a_gpu_passes_and_says_what_is_absent(edge: Edge, fresh: Path) -> None:
    found = rows(edge("selftest", "--bundle", fresh, "--json"))
    assert found["cpu"]["verdict"] == "good"
    assert found["tensorrt"]["verdict"] == "absent"
    assert "the driver sees no GPU" in found["tensorrt"]["facts"]
    assert found["reference"]["verdict"] == "good"
    assert {row["part"] for row in found.values()} == {"encoder", "kernel"}
    assert {"cpu", "cuda", "openvino", "tensorrt"} <= set(found)
    assert "the driver sees no" in edge("selftest", "--bundle", fresh)


def test_the_engine_is_compared_with_the_cpu(edge: Edge, fresh: Path, machine: Machine) -> None:
    found = rows(edge("selftest", "--bundle", fresh, "--json"))
    assert found["tensorrt"]["verdict"] == "absent"
    assert "engines build" in found["tensorrt"]["facts"]
    edge("engines", "build", fresh)
    found = rows(edge("selftest", "--bundle", fresh, "--json"))
    assert found["tensorrt"]["verdict"] == "good"
    assert "over 82 embeddings" in found["tensorrt"]["facts"]
    assert float(found["tensorrt"]["milliseconds"]) > 0


def test_what_is_there_and_bad_fails(
    edge: Edge, fresh: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge("engines", "build", fresh)
    machine.cuda.fail["cudaMalloc"] = Error.cudaErrorMemoryAllocation
    found = rows(edge("selftest", "--bundle", fresh, "--json", fails=1))
    assert found["tensorrt"]["verdict"] == "bad"
    assert "cudaErrorMemoryAllocation" in found["tensorrt"]["facts"]
    monkeypatch.setattr(selftest, "_MOST_LEVELS", 0.1)
    found = rows(edge("selftest", "--bundle", fresh, "--json", fails=1))
    assert found["reference"]["verdict"] == "bad"
