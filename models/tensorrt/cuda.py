"""CUDA's runtime: streams, memory, graphs. The one file that calls it.

By way of `cuda.bindings`, which numba-cuda brings along. The first device's primary context is what
it works in, as do TensorRT and numba, so that all three share memory and streams.

What is given back when an object is dropped is given back at exit too. The driver may be gone by
then; nobody looks at what such calls return.
"""

from __future__ import annotations

import ctypes
import importlib
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tensorrt.errors import TensorRTError


def missing() -> str:
    """Why CUDA's runtime cannot be called from Python; empty if it can."""
    try:
        _runtime()
    except Exception as error:  # whatever a broken installation raises, it is the answer
        return f"cuda.bindings cannot be imported ({error}); pip install 'edge-daemon[gpu]'"
    return ""


class Stream:
    """A queue of work on the GPU, independent of the default stream."""

    def __init__(self) -> None:
        self._handle = _call("cudaStreamCreateWithFlags", _runtime().cudaStreamNonBlocking)
        self.address = int(self._handle)
        """What other libraries know it by; valid as long as this object lives."""
        weakref.finalize(self, _runtime().cudaStreamDestroy, self._handle)

    def synchronize(self) -> None:
        """Wait until all of its work is done; raises what went wrong with any of it."""
        _call("cudaStreamSynchronize", self._handle)

    def upload(self, source: PinnedBuffer, target: DeviceBuffer, count: int) -> None:
        """Queue a copy of the first `count` bytes to the GPU."""
        self._copy(target.address, source.address, count, "cudaMemcpyHostToDevice")

    def download(self, source: DeviceBuffer, target: PinnedBuffer, count: int) -> None:
        """Queue a copy of the first `count` bytes from the GPU."""
        self._copy(target.address, source.address, count, "cudaMemcpyDeviceToHost")

    def capture(self, work: Callable[[], None]) -> Graph:
        """What `work` queues on this stream, as a graph; nothing of it is run.

        Raises:
            TensorRTError: `work` did something that cannot be captured. The stream can be used as
                before.
        """
        # Of this thread only: what others do meanwhile, such as allocating, is not its business.
        mode = _runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call("cudaStreamBeginCapture", self._handle, mode)
        try:
            work()
        except BaseException:
            # Ends the capture, or all later work on the stream would be refused.
            _runtime().cudaStreamEndCapture(self._handle)
            raise
        return Graph(_call("cudaStreamEndCapture", self._handle))

    def launch(self, graph: Graph) -> None:
        """Queue all of a graph's work."""
        _call("cudaGraphLaunch", graph.executable, self._handle)

    def _copy(self, target: int, source: int, count: int, kind: str) -> None:
        direction = getattr(_runtime().cudaMemcpyKind, kind)
        _call("cudaMemcpyAsync", target, source, count, direction, self._handle)


class Graph:
    """Captured work, ready to be launched; made by `Stream.capture`."""

    def __init__(self, captured: Any) -> None:
        try:
            self.executable = _call("cudaGraphInstantiate", captured, 0)
        finally:
            _runtime().cudaGraphDestroy(captured)
        weakref.finalize(self, _runtime().cudaGraphExecDestroy, self.executable)


class DeviceBuffer:
    """Memory on the GPU, aligned to 256 bytes, given back with the object."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = int(_call("cudaMalloc", size))
        weakref.finalize(self, _runtime().cudaFree, self.address)


class PinnedBuffer:
    """Memory of the host that the GPU copies from and to by itself, given back with the object."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = int(_call("cudaHostAlloc", size, _runtime().cudaHostAllocDefault))
        weakref.finalize(self, _runtime().cudaFreeHost, self.address)

    def array(self, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
        """The memory from its start as an array, which must not outlive this object."""
        memory = memoryview((ctypes.c_uint8 * self.size).from_address(self.address))
        return np.ndarray(shape, dtype, memory)


def _runtime() -> Any:
    return importlib.import_module("cuda.bindings.runtime")


def _call(function: str, *arguments: Any) -> Any:
    """The result of a call, if it has one.

    Raises:
        TensorRTError: The call, or work that was queued before it, failed.
    """
    error, *results = getattr(_runtime(), function)(*arguments)
    if int(error) != 0:
        raise TensorRTError(f"CUDA's {function} failed: {_description(error)}")
    return results[0] if results else None


def _description(error: Any) -> str:
    _, text = _runtime().cudaGetErrorString(error)
    return text.decode()
