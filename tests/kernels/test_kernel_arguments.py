"""What is refused, and that the message names it."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import pytest

import kernels
from kernels import AxisMap, CoarseSigma, KernelError, varying_gaussian

IMAGE = np.zeros((6, 8, 3), np.uint8)
SIGMA = np.ones((6, 8), np.float32)
CELLS = np.ones((2, 3), np.float32)


def read_only() -> np.ndarray[Any, Any]:
    array = np.zeros_like(IMAGE)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[1, 2]], "image is a list"),
        (IMAGE.astype(np.float32), "image has dtype float32"),
        (IMAGE.astype(np.int8), "image has dtype int8"),
        (np.zeros((6, 8, 4), np.uint8), r"image has shape \(6, 8, 4\)"),
        (np.zeros(6, np.uint8), r"image has shape \(6,\)"),
        (np.zeros((1, 1, 6, 8, 3), np.uint8), "image has shape"),
        (np.zeros((0, 8, 3), np.uint8), "image has 0 rows"),
        (np.zeros((6, 0), np.uint8), "image has 6 rows of 0"),
    ],
)
def test_refused_images(image: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        varying_gaussian(image, SIGMA)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (2.0, "sigma is a float"),
        (SIGMA.astype(np.float64), "sigma has dtype float64"),
        (SIGMA[:5], r"sigma has shape \(5, 8\); pass \(6, 8\)"),
        (SIGMA[None], r"sigma has shape \(1, 6, 8\)"),
        (CoarseSigma.covering(CELLS.astype(np.float64), 6, 8), "sigma.values has dtype"),  # type: ignore[arg-type]
        (CoarseSigma(CELLS[0], AxisMap(1, 0), AxisMap(1, 0)), r"sigma.values has shape \(3,\)"),
        (CoarseSigma.covering(CELLS[None], 6, 8), r"sigma.values has shape \(1, 2, 3\)"),
        (CoarseSigma(CELLS[:0], AxisMap(1, 0), AxisMap(1, 0)), "sigma.values has 0 rows"),
        (CoarseSigma(CELLS, AxisMap(np.nan, 0), AxisMap(1, 0)), "sigma.y is .*nan"),
        (CoarseSigma(CELLS, AxisMap(1, 0), AxisMap(1, np.inf)), "sigma.x is .*inf"),
    ],
)
def test_refused_maps(sigma: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        varying_gaussian(IMAGE, sigma)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.001, 64.01, 1e30])
def test_refused_values_are_shown_with_their_place(bad: float) -> None:
    sigma = np.copy(SIGMA)
    sigma[4, 7] = bad
    with pytest.raises(KernelError, match=r"at index \(4, 7\); pass pixels from 0 .* to 64"):
        varying_gaussian(IMAGE, sigma)
    with pytest.raises(KernelError, match=r"at index \(4, 7\)"):
        varying_gaussian(IMAGE, CoarseSigma.covering(sigma, 6, 8))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((6, 8), np.uint8), r"out has shape \(6, 8\); pass the image's, \(6, 8, 3\)"),
        (np.zeros((6, 8, 3), np.int16), "out has dtype int16"),
        (bytearray(144), "out is a bytearray"),
        (read_only(), "out is read-only"),
    ],
)
def test_refused_outputs(out: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        varying_gaussian(IMAGE, SIGMA, out=out)


@pytest.mark.parametrize("threads", [0, -1, 1.5, None, True])
def test_refused_thread_counts(threads: Any) -> None:
    with pytest.raises(KernelError, match=f"threads is {threads}; pass a whole number"):
        varying_gaussian(IMAGE, SIGMA, threads=threads)


def test_unknown_backend_is_told_the_known_ones() -> None:
    with pytest.raises(KernelError, match="'simd'; pass one of auto, c, cuda, opencv, reference"):
        varying_gaussian(IMAGE, SIGMA, backend="simd")


def test_arrays_on_a_gpu_are_told_their_way() -> None:
    class OnDevice:
        __cuda_array_interface__: ClassVar[dict[str, Any]] = {}

    with pytest.raises(KernelError, match=r"OnDevice; .* there is kernels\.cuda\.smooth_device"):
        varying_gaussian(cast(Any, OnDevice()), SIGMA)


def test_missing_library_is_explained_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.native.status", lambda: "not built: no compiler")
    assert kernels.backends()["c"] == "not built: no compiler"
    with pytest.raises(KernelError, match="'c' is not built: no compiler; or pass 'auto'"):
        varying_gaussian(IMAGE, SIGMA, backend="c")
    expected = varying_gaussian(IMAGE, SIGMA, backend="opencv")
    assert np.array_equal(varying_gaussian(IMAGE, SIGMA), expected)


def test_errors_are_value_errors() -> None:
    assert issubclass(KernelError, ValueError)
