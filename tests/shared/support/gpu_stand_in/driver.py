"""A stand-in for the library of NVIDIA's driver, where there is none."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_PROTOTYPES: dict[str, list[Any]] = {
    "cuInit": [ctypes.c_uint],
    "cuDriverGetVersion": [ctypes.c_void_p],
    "cuDeviceGetCount": [ctypes.c_void_p],
    "cuDeviceGet": [ctypes.c_void_p, ctypes.c_int],
    "cuDeviceGetName": [ctypes.c_void_p, ctypes.c_int, ctypes.c_int],
    "cuDeviceTotalMem_v2": [ctypes.c_void_p, ctypes.c_int],
    "cuDeviceGetAttribute": [ctypes.c_void_p, ctypes.c_int, ctypes.c_int],
    "cuGetErrorName": [ctypes.c_int, ctypes.c_void_p],
}
"""Arguments, as cuda.h declares them; all return a `CUresult`."""


@dataclass
class DriverStandIn:
    """NVIDIA's driver library as `ctypes` sees it, with real C calling conventions."""

    name: bytes = b"Orin (stand-in)"
    capability: tuple[int, int] = (8, 7)
    processors: int = 8
    memory_bytes: int = 8 << 30
    version: int = 12060
    devices: int = 1
    fail: dict[str, int] = field(default_factory=dict[str, int])

    def library(self) -> Any:
        """What `ctypes.CDLL` gives."""
        library = ModuleType("libcuda")
        for name, types in _PROTOTYPES.items():
            call = ctypes.CFUNCTYPE(ctypes.c_int, *types)(self._function(name))
            setattr(library, name, call)
        return library

    def _function(self, name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            if code := self.fail.get(name, 0):
                return code
            self._answer(name, *arguments)
            return 0

        return call

    def _answer(self, name: str, *arguments: Any) -> None:
        attributes = {16: self.processors, 75: self.capability[0], 76: self.capability[1]}
        match name, arguments:
            case "cuDriverGetVersion", (out,):
                _put(out, ctypes.c_int, self.version)
            case "cuDeviceGetCount", (out,):
                _put(out, ctypes.c_int, self.devices)
            case "cuDeviceGet", (out, which):
                _put(out, ctypes.c_int, which)
            case "cuDeviceGetName", (out, size, _):
                ctypes.memmove(out, self.name[: size - 1] + b"\0", len(self.name) + 1)
            case "cuDeviceTotalMem_v2", (out, _):
                _put(out, ctypes.c_size_t, self.memory_bytes)
            case "cuDeviceGetAttribute", (out, attribute, _):
                _put(out, ctypes.c_int, attributes[attribute])
            case "cuGetErrorName", (_, out):
                _put(out, ctypes.c_char_p, b"CUDA_ERROR_STAND_IN")
            case _:
                assert name == "cuInit", name


def _put(address: int, kind: Any, value: Any) -> None:
    kind.from_address(address).value = value
