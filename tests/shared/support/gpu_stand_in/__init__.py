"""Stand-ins for a GPU: NVIDIA's driver, CUDA's runtime and TensorRT, for machines without one.

They hold the code under test to what the real things document, and compute real embeddings on the
CPU. What they cannot show is that the real things agree with their documentation; that is for the
tests marked `gpu`, and for `edge-daemon selftest` on a device.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from support.gpu_stand_in.cuda import CudaStandIn
from support.gpu_stand_in.driver import DriverStandIn
from support.gpu_stand_in.machine import Faults, Machine, Seen
from support.gpu_stand_in.tensorrt_module import make_module

__all__ = ["CudaStandIn", "DriverStandIn", "Faults", "Machine", "Seen", "put_in", "put_in_child"]

SITE = Path(__file__).parent / "site"
_TOLD = "GPU_STAND_IN"
_NAME = "name"


def put_in(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """Give this process the machine's GPU, and the processes that it starts one like it."""
    real: Any = ctypes.CDLL

    def load(name: Any, *arguments: Any, **named: Any) -> Any:
        if name == "libcuda.so.1":
            return machine.driver.library()
        return real(name, *arguments, **named)

    patch.setattr(ctypes, "CDLL", load)
    patch.setitem(sys.modules, "tensorrt", make_module(machine))
    patch.setitem(sys.modules, "cuda.bindings.runtime", machine.cuda.module())
    patch.syspath_prepend(SITE)
    told = {"version": machine.version, "faults": asdict(machine.faults)}
    driver = {key: value for key, value in asdict(machine.driver).items() if key != _NAME}
    patch.setenv(_TOLD, json.dumps({**told, "driver": driver}))


def put_in_child() -> None:
    """As `put_in`, in a process that was started by one with a stand-in, for good."""
    told = json.loads(os.environ[_TOLD])
    told["driver"]["capability"] = tuple(told["driver"]["capability"])
    machine = Machine(
        version=told["version"],
        driver=DriverStandIn(**told["driver"]),
        faults=Faults(**told["faults"]),
    )
    put_in(machine, pytest.MonkeyPatch())
