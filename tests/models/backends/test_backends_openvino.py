"""OpenVINO against ONNX Runtime on the CPU."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Bundle, BundleError, load_bundle, loading
from models.backends import openvino as module
from models.backends.cpu import CpuSession
from models.backends.openvino import OpenVinoBackend, OpenVinoSession
from models.proof import compare, fixed_tiles
from support.stand_in_backends import graph_of
from support.tiny_bundle import make_tiny_bundle

if OpenVinoBackend().problem():
    pytest.skip(OpenVinoBackend().problem(), allow_module_level=True)

_APART = """
import os, sys
from models import load_bundle
load_bundle(sys.argv[1], threads=1)
assert "openvino" not in sys.modules, "auto imported it for nothing"
load_bundle(sys.argv[1], threads=1, backend="openvino")
assert "openvino" in sys.modules
told = [name for name in sys.modules if name.startswith("openvino_telemetry")]
assert not told, told
assert os.listdir(os.environ["HOME"]) == [], "it left an identity there"
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def nano() -> tuple[Bundle, Bundle]:
    cpu, openvino = (
        load_bundle("nano-icons", threads=2, backend=name) for name in ("cpu", "openvino")
    )
    return cpu, openvino


@pytest.fixture(scope="module")
def sessions(directory: Path) -> tuple[CpuSession, OpenVinoSession]:
    graph = graph_of(directory)
    return (
        CpuSession(graph.content, graph.spec, threads=1, file=graph.file),
        OpenVinoSession(graph.content, graph.spec, threads=1, full_precision=True, file=graph.file),
    )


@pytest.mark.parametrize("count", [1, 7, 8, 19])
def test_nano_icons_embeds_as_on_onnx_runtime(nano: tuple[Bundle, Bundle], count: int) -> None:
    cpu, openvino = nano
    tiles = fixed_tiles(cpu.tile_size, count)
    agreement = compare(openvino.encode_tiles(tiles), cpu.encode_tiles(tiles))
    assert agreement.least_cosine > 0.99999


def test_it_tells_what_it_really_runs_on(nano: tuple[Bundle, Bundle]) -> None:
    told = nano[1].describe()
    assert told["backend"] == "openvino"
    assert told["image"]["backend"].startswith("openvino ")
    assert told["image"]["devices"] == ["CPU"]
    assert told["image"]["inference_precision"] == "f32"
    assert told["image"]["threads"] == 2


def test_threads_do_not_disturb_each_other(nano: tuple[Bundle, Bundle]) -> None:
    _, openvino = nano
    batches = [fixed_tiles(openvino.tile_size, 12)[start : start + 3] for start in range(8)]
    alone = [openvino.encode_tiles(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(openvino.encode_tiles, batches * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_strided_input_is_read_as_it_is(sessions: tuple[CpuSession, OpenVinoSession]) -> None:
    cpu, openvino = sessions
    tiles = fixed_tiles(224, 4)[::-2, :, ::-1]
    assert not tiles.flags.c_contiguous
    np.testing.assert_allclose(openvino.encode(tiles), cpu.encode(tiles), atol=1e-5)


def test_a_later_run_leaves_earlier_embeddings_alone(
    sessions: tuple[CpuSession, OpenVinoSession],
) -> None:
    _, openvino = sessions
    tiles = fixed_tiles(224, 2)
    first = openvino.encode(tiles)
    before = first.tolist()
    assert openvino.encode(tiles[::-1]).tolist() != before
    assert first.tolist() == before


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((1, 224, 224, 3), np.int64),
        np.zeros((1, 112, 224, 3), np.uint8),
        np.zeros((224, 224, 3), np.uint8),
    ],
)
def test_what_onnx_runtime_refuses_it_refuses_too(
    sessions: tuple[CpuSession, OpenVinoSession], batch: NDArray[Any]
) -> None:
    for session in sessions:
        with pytest.raises(BundleError, match=r"failed on an input of (uint8|int64|float32) \("):
            session.encode(batch)


def test_old_bundles_run_too(tmp_path: Path) -> None:
    old = make_tiny_bundle(tmp_path, image_input="pixels")
    tiles = fixed_tiles(224, 5)
    cpu, openvino = (load_bundle(old, threads=1, backend=name) for name in ("cpu", "openvino"))
    found, expected = openvino.encode_tiles(tiles), cpu.encode_tiles(tiles)
    assert compare(found, expected).least_cosine > 0.99999


def test_what_it_cannot_load_is_a_message(directory: Path) -> None:
    graph = graph_of(directory)
    with pytest.raises(BundleError, match=r"openvino .* cannot load the graph \(.*update openvino"):
        OpenVinoSession(b"no graph", graph.spec, threads=1, full_precision=True, file=graph.file)


def test_without_the_package_it_says_how_to_get_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(module, "find_spec", find_nothing)
    with pytest.raises(BundleError, match=r"not installed; pip install 'edge-daemon\[openvino\]'"):
        load_bundle(directory, threads=1, backend="openvino")


def test_it_is_imported_for_a_reason_only_and_reports_to_nobody(
    directory: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", _APART, str(directory)],
        cwd=Path(loading.__file__).parent.parent,
        env={"HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


_HARDENED = """
import ctypes, sys
from models import BundleError, load_bundle
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(77)
load_bundle(sys.argv[1], threads=1, backend="cpu")
try:
    load_bundle(sys.argv[1], threads=1, backend="openvino")
except BundleError as error:
    print(error)
"""


def test_a_hardened_service_is_told_which_drop_in_it_takes(directory: Path) -> None:
    command = [sys.executable, "-c", _HARDENED, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel cannot keep memory from becoming executable (Linux 6.3)")
    assert done.returncode == 0, done.stderr
    assert "may not generate code in this process; under systemd" in done.stdout
    assert "--drop-in openvino" in done.stdout
