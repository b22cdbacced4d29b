"""ONNX Runtime's CUDA provider, by a stand-in; and on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import BundleError, load_bundle
from models.backends import cuda, ort
from models.backends.cuda import CUDA, CudaBackend
from models.backends.ort import CPU
from models.proof import compare, fixed_tiles
from models.tensorrt.errors import NoGpuError
from support.stand_in_gpu_runtime import StandInGpuRuntime
from support.tiny_bundle import make_tiny_bundle

Put = Callable[..., StandInGpuRuntime]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def driver_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's answer on a machine with a GPU, of which only that there is one counts."""

    def probe() -> None:
        return None

    monkeypatch.setattr(cuda.driver, "probe", probe)


@pytest.fixture
def gpu(driver_here: None, monkeypatch: pytest.MonkeyPatch) -> Put:
    real = ort.ort

    def put(**behaviour: Any) -> StandInGpuRuntime:
        runtime = StandInGpuRuntime(real, **behaviour)
        for module in (ort, cuda):
            monkeypatch.setattr(module, "ort", runtime)
        return runtime

    return put


@pytest.fixture
def cpu_only(driver_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime of a wheel without CUDA, whichever wheel is here."""
    real = ort.ort

    class CpuOnly:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def get_available_providers(self) -> list[str]:
            return [CPU]

    monkeypatch.setattr(cuda, "ort", CpuOnly())
    monkeypatch.setattr(cuda.platform, "machine", lambda: "x86_64")


def _installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def installed(distribution: str) -> str:
        return versions.get(distribution.replace("-", "_"), "")

    monkeypatch.setattr(cuda, "_installed", installed)


def test_it_tells_where_it_runs_and_asks_without_a_way_back(gpu: Put, directory: Path) -> None:
    runtime = gpu()
    bundle = load_bundle(directory, threads=1, backend="cuda")
    image = bundle.describe()["image"]
    assert bundle.backend == "cuda"
    assert image["providers"] == [CUDA, CPU]
    assert image["device"] == "GPU 0"
    assert image["nodes"] == {CUDA: 3, CPU: 2}
    ((((name, options), *others), enable_fallback),) = runtime.asked
    assert (name, others, enable_fallback) == (CUDA, [CPU], 0)
    assert options["use_tf32"] == "0"


def test_a_silent_fallback_to_the_cpu_is_caught(gpu: Put, directory: Path) -> None:
    gpu(providers=[CPU])
    with pytest.raises(BundleError, match=r"'cuda' cannot serve: asked for CUDA.*\['CPUExec"):
        load_bundle(directory, threads=1, backend="cuda")


@pytest.mark.parametrize("operator", ["MatMul", "Conv", "Gemm"])
def test_heavy_nodes_left_on_the_cpu_are_caught(gpu: Put, directory: Path, operator: str) -> None:
    gpu(on_cpu=["Shape", operator])
    with pytest.raises(BundleError, match=rf"left {operator} of the graph on the CPU"):
        load_bundle(directory, threads=1, backend="cuda")


def test_a_runtime_that_cannot_tell_of_nodes_is_taken_at_its_word(
    gpu: Put, directory: Path
) -> None:
    gpu(tells=False)
    image = load_bundle(directory, threads=1, backend="cuda").describe()["image"]
    assert image["providers"] == [CUDA, CPU]
    assert "nodes" not in image


def test_without_a_driver_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe() -> None:
        raise NoGpuError("no NVIDIA driver; install it")

    monkeypatch.setattr(cuda.driver, "probe", probe)
    assert CudaBackend().problem() == "no NVIDIA driver; install it"


def test_a_wheel_without_cuda_is_named_with_what_to_do(
    cpu_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(monkeypatch, onnxruntime="1.2.3")
    assert "no CUDA in it; uninstall it" in CudaBackend().problem()
    assert CudaBackend().version() == ""


def test_two_wheels_in_one_place_are_named(cpu_only: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, onnxruntime="1.2.3", onnxruntime_gpu="1.2.2")
    assert (
        CudaBackend()
        .problem()
        .startswith("onnxruntime 1.2.3 has overwritten onnxruntime-gpu 1.2.2")
    )


def test_on_a_jetson_it_points_to_tensorrt(cpu_only: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda.platform, "machine", lambda: "aarch64")
    assert CudaBackend().problem().endswith("on Jetson, use tensorrt")


@pytest.mark.gpu
@pytest.mark.skipif(bool(CudaBackend().problem()), reason=CudaBackend().problem() or "-")
@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_gpu_embeds_as_the_cpu_does(count: int) -> None:
    on_gpu = load_bundle("nano-icons", backend="cuda")
    assert on_gpu.describe()["image"]["providers"][0] == CUDA
    tiles = fixed_tiles(on_gpu.tile_size, count)
    expected = load_bundle("nano-icons", backend="cpu").encode_tiles(tiles)
    assert compare(on_gpu.encode_tiles(tiles), expected).least_cosine > 0.9999
    assert np.isfinite(expected).all()
