"""NVIDIA's driver, asked by itself: is there a GPU, and which.

TensorRT's runtime ends the whole process where there is no driver, so the driver is asked first,
through its own library and nothing else.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Final

from models.tensorrt.errors import NoGpuError

_LIBRARY: Final = "libcuda.so.1"
_LONGEST_NAME: Final = 256

# CUdevice_attribute of cuda.h.
_MULTIPROCESSORS: Final = 16
_CAPABILITY_MAJOR: Final = 75
_CAPABILITY_MINOR: Final = 76


@dataclass(frozen=True)
class Gpu:
    """The first GPU that this process may see.

    Attributes:
        name: As the driver calls it.
        capability: Compute capability, major and minor.
        processors: Streaming multiprocessors. Boards of one name and capability differ in it, and
            an engine is tuned to it.
        memory_bytes: All of its memory; on Jetson, the machine's.
        driver: The newest CUDA that the driver serves, e.g. "12.6".
    """

    name: str
    capability: tuple[int, int]
    processors: int
    memory_bytes: int
    driver: str


def probe() -> Gpu:
    """Ask the driver for the first GPU.

    Raises:
        NoGpuError: No driver, one that does not start, or no GPU.
    """
    cuda = _load()
    _call(cuda, "cuInit", 0)
    version, count = ctypes.c_int(), ctypes.c_int()
    _call(cuda, "cuDriverGetVersion", ctypes.byref(version))
    _call(cuda, "cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise NoGpuError("the driver sees no GPU; check CUDA_VISIBLE_DEVICES and nvidia-smi")
    device = ctypes.c_int()
    _call(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    _call(cuda, "cuDeviceGetName", name, _LONGEST_NAME, device)
    memory = ctypes.c_size_t()
    _call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    return Gpu(
        name=name.value.decode("utf-8", "replace"),
        capability=(
            _attribute(cuda, device, _CAPABILITY_MAJOR),
            _attribute(cuda, device, _CAPABILITY_MINOR),
        ),
        processors=_attribute(cuda, device, _MULTIPROCESSORS),
        memory_bytes=memory.value,
        driver=f"{version.value // 1000}.{version.value % 1000 // 10}",
    )


def _load() -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NoGpuError(f"no NVIDIA driver ({error}); install it, or JetPack on Jetson") from error


def _attribute(cuda: Any, device: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int()
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
    return value.value


def _call(cuda: Any, function: str, *arguments: Any) -> None:
    code = getattr(cuda, function)(*arguments)
    if code != 0:
        raise NoGpuError(
            f"the NVIDIA driver's {function} failed with {_name_of(cuda, code)}; "
            "see that its kernel modules are loaded and that /dev lets this user at the GPU"
        )


def _name_of(cuda: Any, code: int) -> str:
    name = ctypes.c_char_p()
    cuda.cuGetErrorName(code, ctypes.byref(name))
    return f"error {code}" if name.value is None else name.value.decode()
