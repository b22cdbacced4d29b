"""Building in a child process, which gets a stand-in for the GPU too."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models.tensorrt import build
from models.tensorrt.build import BuildRequest, build_engine, build_in_child
from models.tensorrt.child import Messages
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import BuildError
from support.gpu_stand_in import DriverStandIn, Faults, Machine, put_in
from support.image_graph import ImageGraph


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore([tmp_path / "engines"])


def ignore(share: float, phase: str) -> None: ...


def go_on(share: float, phase: str) -> bool:
    return True


def give_up(share: float, phase: str) -> bool:
    return False


def request_for(graph: ImageGraph, store: EngineStore, *, force: bool = False) -> BuildRequest:
    sha256 = hashlib.sha256(graph.content).hexdigest()
    return BuildRequest.of(graph.file, sha256, store, graph.spec, force=force)


def test_a_child_builds_and_tells_how_far_it_is(
    machine: Machine, graph: ImageGraph, store: EngineStore
) -> None:
    told: list[tuple[float, str]] = []
    path = build_in_child(
        request_for(graph, store), lambda share, phase: told.append((share, phase))
    )
    assert store.find(graph.key()) == (path, path.read_bytes())
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert {phase for _, phase in told} == {"Building Engine", "Computing profile costs"}
    assert store.read_timing_cache(graph.key()) != b""
    assert machine.seen.steps == 0, "it was built in this process"


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(parse="no importer"), "cannot read the graph: no importer"),
        (Faults(build="out of memory"), "TensorRT built no engine: out of memory"),
        (Faults(crash=True), f"the process that builds died with signal {int(signal.SIGABRT)}"),
    ],
)
def test_what_goes_wrong_in_the_child_is_an_error_here(
    faults: Faults,
    message: str,
    graph: ImageGraph,
    store: EngineStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_in(Machine(faults=faults), monkeypatch)
    with pytest.raises(BuildError, match=message):
        build_in_child(request_for(graph, store), ignore)
    assert store.records() == []


def test_a_child_that_cannot_begin_is_an_error_with_its_last_words(
    graph: ImageGraph, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(), monkeypatch)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BuildError, match="died with exit code 1; the kernel's log may know"):
        build_in_child(request_for(graph, store), ignore)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(BuildError, match="cannot be started"):
        build_in_child(request_for(graph, store), ignore)


def test_whoever_follows_can_end_the_build(
    graph: ImageGraph, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(faults=Faults(step_s=30.0)), monkeypatch)
    children: list[subprocess.Popen[str]] = []
    start = subprocess.Popen

    def started(*arguments: object, **named: object) -> subprocess.Popen[str]:
        children.append(start(*arguments, **named))  # type: ignore[call-overload]
        return children[-1]

    monkeypatch.setattr(build.subprocess, "Popen", started)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_in_child(request_for(graph, store), interrupt)
    assert children[0].returncode == -signal.SIGKILL
    assert store.records() == []
    with store.locked():  # the dead hold no lock
        pass


def test_a_child_whose_parent_is_gone_gives_up(
    graph: ImageGraph, store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(), monkeypatch)
    with pytest.raises(BuildError, match="the build was cancelled"):
        build_engine(request_for(graph, store), give_up)
    read, write = os.pipe()
    os.close(read)
    gone = os.fdopen(write, "w")
    assert not Messages(gone).send(share=0.0)
    with contextlib.suppress(BrokenPipeError):
        gone.close()


def test_an_engine_that_is_there_is_built_again_only_by_force(
    machine: Machine, graph: ImageGraph, store: EngineStore
) -> None:
    first = build_engine(request_for(graph, store), go_on)
    measured = machine.seen.steps
    store.write_timing_cache(graph.key(), b"")
    assert build_engine(request_for(graph, store), go_on) == first
    assert machine.seen.steps == measured
    assert build_engine(request_for(graph, store, force=True), go_on) == first
    assert machine.seen.steps > measured


def test_a_graph_that_changed_meanwhile_is_not_built(
    machine: Machine, graph: ImageGraph, store: EngineStore, tmp_path: Path
) -> None:
    request = replace(request_for(graph, store), onnx=str(tmp_path / "image.onnx"))
    with pytest.raises(BuildError, match=r"cannot read .*image\.onnx"):
        build_engine(request, go_on)
    (tmp_path / "image.onnx").write_bytes(graph.content + b"\0")
    with pytest.raises(BuildError, match="changed since it was loaded; start again"):
        build_engine(request, go_on)


def test_without_a_gpu_or_a_place_nothing_is_built(
    graph: ImageGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(), monkeypatch)
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="no directory for engines can be written"):
        build_engine(request_for(graph, EngineStore([tmp_path / "file"])), go_on)
    put_in(Machine(driver=DriverStandIn(devices=0)), monkeypatch)
    with pytest.raises(BuildError, match="the driver sees no GPU"):
        build_engine(request_for(graph, EngineStore([tmp_path])), go_on)
