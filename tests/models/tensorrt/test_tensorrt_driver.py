from __future__ import annotations

import ctypes

import pytest

from models.tensorrt import driver
from models.tensorrt.driver import Gpu
from models.tensorrt.errors import NoGpuError
from support.gpu_stand_in import DriverStandIn, Machine, put_in


def test_the_first_gpu_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    played = DriverStandIn(
        name=b"Orin NX", capability=(8, 7), processors=8, memory_bytes=16 << 30, version=12060
    )
    put_in(Machine(driver=played), monkeypatch)
    assert driver.probe() == Gpu("Orin NX", (8, 7), 8, 16 << 30, "12.6")


@pytest.mark.parametrize(
    ("played", "message"),
    [
        (DriverStandIn(devices=0), "the driver sees no GPU; check CUDA_VISIBLE_DEVICES"),
        (
            DriverStandIn(fail={"cuInit": 100}),
            "the NVIDIA driver's cuInit failed with CUDA_ERROR_STAND_IN; see that its kernel",
        ),
        (DriverStandIn(fail={"cuDeviceGetAttribute": 1}), "cuDeviceGetAttribute failed with"),
    ],
)
def test_why_there_is_no_gpu(
    played: DriverStandIn, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(Machine(driver=played), monkeypatch)
    with pytest.raises(NoGpuError, match=message):
        driver.probe()


def test_no_driver_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    with pytest.raises(NoGpuError, match=r"no NVIDIA driver \(libcuda.so.1: cannot open"):
        driver.probe()
