"""The CUDA backend without a GPU: what it says of itself, its code, and the simulator's verdict."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import KernelError, cuda, cuda_arrays

ROOT = Path(__file__).parents[2]
needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own: numba reads its settings when it is imported."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "shared")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def pretend(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """Makes `module` what importing numba.cuda gives, or raises."""
    real = importlib.import_module

    def import_module(name: str) -> Any:
        if name != "numba.cuda":
            return real(name)
        if isinstance(module, Exception):
            raise module
        return module

    monkeypatch.setattr(importlib, "import_module", import_module)


def unavailable(reason: Exception | None) -> Any:
    def current_context() -> None:
        if reason is not None:
            raise reason

    return SimpleNamespace(is_available=lambda: False, current_context=current_context)


@needs_numba
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    odd=st.sampled_from(["first axis", "no axis", "reversed"]),
)
def test_numba_can_reshape_what_is_copied_to_a_device(shape: tuple[int, ...], odd: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    given = {"first axis": array[None], "no axis": array, "reversed": array[::-1]}[odd]
    usual = cuda_arrays.with_usual_strides(given)
    assert np.array_equal(usual, given)
    dummies = importlib.import_module("numba.cuda.cudadrv.dummyarray")
    dummy = dummies.Array.from_desc(0, usual.shape, usual.strides, usual.itemsize)
    _, extents = dummy.reshape(usual.shape[0], usual.size // usual.shape[0])
    assert extents in (None, [dummy.extent])  # DeviceNDArray.reshape goes by this


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            ModuleNotFoundError("No module named 'numba'"),
            "not installed: No module named 'numba'; pip install 'edge-daemon[gpu]'",
        ),
        (
            RuntimeError("odd"),
            "broken: importing numba-cuda raised RuntimeError('odd'); reinstall it",
        ),
        (
            unavailable(RuntimeError("Error at driver init:\n\nno driver\n:")),
            "without a usable GPU: Error at driver init: no driver; install NVIDIA's driver",
        ),
        (
            unavailable(None),
            "without a compiler: libNVVM was not found; install the CUDA toolkit or "
            "numba-cuda[cu12]",
        ),
        (SimpleNamespace(is_available=lambda: True), "available"),
    ],
)
def test_status_says_what_is_missing(
    module: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, module)
    monkeypatch.setattr(cuda, "_compiler_fault", lambda: "")
    assert cuda.status() == message


def test_status_says_why_numba_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, SimpleNamespace(is_available=lambda: True))
    monkeypatch.setattr(cuda, "_compiler_fault", lambda: "no libnvrtc")
    assert cuda.status().startswith("without a compiler: no libnvrtc; install the CUDA toolkit")


def test_work_without_a_gpu_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ModuleNotFoundError("No module named 'numba'"))
    image, sigma = np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.float32)
    with pytest.raises(KernelError, match="'cuda' is not installed: No module named 'numba'"):
        cuda.smooth(image, sigma, 1.0, np.empty_like(image))
    with pytest.raises(KernelError, match="'cuda' is not installed"):
        cuda.smooth_device(image, sigma)


def test_importing_the_package_does_not_import_numba() -> None:
    code = "import sys, kernels, kernels.cuda; print('numba' in sys.modules)"
    assert in_a_process("-c", code).stdout.strip() == "False"


@needs_numba
@pytest.mark.timeout(600)
def test_results_on_the_simulator() -> None:
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels/test_cuda_results.py")
    part = "definition or constant or windows or order"

    def run(chosen: str) -> subprocess.CompletedProcess[str]:
        return in_a_process(*command, "-k", chosen, NUMBA_ENABLE_CUDASIM="1")

    # A simulator keeps one core busy, whatever it simulates.
    with ThreadPoolExecutor() as threads:
        for ran in threads.map(run, (part, f"not ({part})")):
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert " passed" in ran.stdout


@needs_numba
def test_compiled_code_has_neither_doubles_nor_arrays_in_memory() -> None:
    """Either would cost most of the speed, and nothing else would show it."""
    ran = in_a_process("-m", "support.cuda_ptx", "8", "7", NUMBA_ENABLE_CUDASIM="0")
    assert ran.returncode == 0, ran.stderr
    compiled: dict[str, str] = json.loads(ran.stdout)
    if "fault" in compiled:
        pytest.skip(f"numba cannot compile here: {compiled['fault']}")
    assert len(compiled) == 5
    for name, code in compiled.items():
        assert ".entry" in code, name
        assert ".f64" not in code, name
        assert ".local" not in code, name
