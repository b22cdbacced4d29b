# ruff: noqa: N802, N803, N815 - the names are CUDA's
"""A stand-in for `cuda.bindings.runtime`, where there is no GPU.

It keeps "device" memory in the host's, and to the rules that a GPU would punish late or in silence:
work runs when its stream is waited for, never before; memory that queued work or a graph needs must
not be given back; copies are between the right kinds of memory and within them, and asynchronous
ones need pinned memory; what cannot be captured ends a capture. A broken rule is an AssertionError,
which nothing here catches; what CUDA reports as an error code is reported so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 256


class Error(IntEnum):
    """The members of `cudaError_t` that come up here."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class CaptureMode(IntEnum):
    """`cudaStreamCaptureMode`."""

    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


class CopyKind(IntEnum):
    """`cudaMemcpyKind`."""

    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3


@dataclass
class Allocation:
    """Memory of one kind, "pinned" or "device"."""

    kind: str
    address: int
    size: int
    memory: NDArray[np.uint8]


@dataclass
class Work:
    """Something queued, and the addresses that it needs until it has run."""

    run: Callable[[], None]
    needs: list[int]


@dataclass
class StreamHandle:
    """`cudaStream_t`."""

    address: int
    queue: list[Work] = field(default_factory=list[Work])
    capturing: list[Work] | None = None
    captured_by: int = 0
    invalid: bool = False

    def __int__(self) -> int:
        return self.address


@dataclass
class GraphHandle:
    """`cudaGraph_t` and `cudaGraphExec_t`."""

    work: list[Work]
    alive: bool = True


class CudaStandIn:
    """A GPU that is none.

    Attributes:
        fail: Error codes by function, each returned once instead of doing anything.
        calls: Names of the functions called, in order.
    """

    cudaStreamNonBlocking = 1
    cudaHostAllocDefault = 0
    cudaStreamCaptureMode = CaptureMode
    cudaMemcpyKind = CopyKind
    cudaError_t = Error

    def __init__(self) -> None:
        self.fail: dict[str, Error] = {}
        self.calls: list[str] = []
        self.allocations: dict[int, Allocation] = {}
        self.streams: dict[int, StreamHandle] = {}
        self._next_stream = 0x5000

    def module(self) -> ModuleType:
        """What importing `cuda.bindings.runtime` gives."""
        module = ModuleType("cuda.bindings.runtime")
        for name in dir(type(self)):
            if name.startswith("cuda"):
                value = getattr(self, name)
                counted = callable(value) and not isinstance(value, type)
                setattr(module, name, self._counted(name, value) if counted else value)
        return module

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, error.name.encode()

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, StreamHandle]:
        assert flags == self.cudaStreamNonBlocking, "the default stream would be waited for"
        self._next_stream += 0x10
        self.streams[self._next_stream] = StreamHandle(self._next_stream)
        return Error.cudaSuccess, self.streams[self._next_stream]

    def cudaStreamDestroy(self, stream: StreamHandle) -> tuple[Error]:
        assert not stream.queue, "a stream was destroyed with work on it"
        del self.streams[stream.address]
        return (Error.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: StreamHandle) -> tuple[Error]:
        if self.refused_in_capture():
            return (Error.cudaErrorStreamCaptureUnsupported,)
        while stream.queue:
            stream.queue.pop(0).run()
        return (Error.cudaSuccess,)

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        return self._allocate("device", size)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Error, int | None]:
        assert flags == self.cudaHostAllocDefault
        return self._allocate("pinned", size)

    def cudaFree(self, devPtr: int) -> tuple[Error]:
        return self._release("device", devPtr)

    def cudaFreeHost(self, ptr: int) -> tuple[Error]:
        return self._release("pinned", ptr)

    def cudaMemcpyAsync(
        self, dst: int, src: int, count: int, kind: CopyKind, stream: StreamHandle
    ) -> tuple[Error]:
        up = kind == CopyKind.cudaMemcpyHostToDevice
        assert up or kind == CopyKind.cudaMemcpyDeviceToHost, f"{kind.name} is of no use here"
        source = self.bytes_at(src, count, "pinned" if up else "device")
        target = self.bytes_at(dst, count, "device" if up else "pinned")

        def copy() -> None:
            target[:] = source

        self.queue(stream.address, Work(copy, [dst, src]))
        return (Error.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: StreamHandle, mode: CaptureMode) -> tuple[Error]:
        assert stream.capturing is None, "a capture within a capture"
        assert mode == CaptureMode.cudaStreamCaptureModeThreadLocal, "would disturb other threads"
        stream.capturing, stream.invalid = [], False
        stream.captured_by = threading.get_ident()
        return (Error.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: StreamHandle) -> tuple[Error, GraphHandle | None]:
        assert stream.capturing is not None, "no capture to end"
        assert stream.captured_by == threading.get_ident(), "a capture ends in its own thread"
        work, stream.capturing = stream.capturing, None
        if stream.invalid:
            return Error.cudaErrorStreamCaptureInvalidated, None
        return Error.cudaSuccess, GraphHandle(work)

    def cudaGraphInstantiate(self, graph: GraphHandle, flags: int) -> tuple[Error, GraphHandle]:
        assert flags == 0
        return Error.cudaSuccess, GraphHandle(list(graph.work))

    def cudaGraphLaunch(
        self,
        graphExec: GraphHandle,
        stream: StreamHandle,
    ) -> tuple[Error]:
        assert graphExec.alive, "a graph was launched after it was destroyed"
        for work in graphExec.work:
            self.queue(stream.address, work)
        return (Error.cudaSuccess,)

    def cudaGraphDestroy(self, graph: GraphHandle) -> tuple[Error]:
        graph.alive = False
        return (Error.cudaSuccess,)

    def cudaGraphExecDestroy(self, graphExec: GraphHandle) -> tuple[Error]:
        graphExec.alive = False
        return (Error.cudaSuccess,)

    # ---- what the stand-in for TensorRT needs

    def bytes_at(self, address: int, count: int, kind: str) -> NDArray[np.uint8]:
        """The memory there, which has to be of one allocation of that kind."""
        for one in self.allocations.values():
            if one.address <= address and address + count <= one.address + one.size:
                assert one.kind == kind, f"memory is {one.kind}, and has to be {kind}"
                start = address - one.address
                return one.memory[start : start + count]
        raise AssertionError(f"{count} bytes at {address:#x} are in no allocation")

    def queue(self, stream: int, work: Work) -> None:
        """Put work on a stream, or into the graph that is captured from it."""
        assert stream in self.streams, f"{stream:#x} is no stream"
        for address in work.needs:
            assert any(
                one.address <= address < one.address + one.size for one in self.allocations.values()
            ), "work on memory that was given back"
        handle = self.streams[stream]
        (handle.queue if handle.capturing is None else handle.capturing).append(work)

    def refused_in_capture(self) -> bool:
        """Whether this thread captures; a call that cannot be captured spoils that."""
        mine = [
            stream
            for stream in self.streams.values()
            if stream.capturing is not None and stream.captured_by == threading.get_ident()
        ]
        for stream in mine:
            stream.invalid = True
        return bool(mine)

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:  # the real ones take positional arguments as well
            self.calls.append(name)
            if error := self.fail.pop(name, None):
                if error == Error.cudaErrorIllegalAddress:
                    for stream in self.streams.values():  # nothing runs after that
                        stream.queue.clear()
                wide = name in ("cudaMalloc", "cudaHostAlloc", "cudaStreamEndCapture")
                return (error, None) if wide or "Create" in name else (error,)
            return function(*arguments)

        return call

    def _allocate(self, kind: str, size: int) -> tuple[Error, int | None]:
        if self.refused_in_capture():
            return Error.cudaErrorStreamCaptureUnsupported, None
        assert size > 0
        room = np.full(size + _ALIGNMENT, 0xA5, np.uint8)  # not the zeros that one gets used to
        start = -room.ctypes.data % _ALIGNMENT
        memory = room[start : start + size]
        address = memory.ctypes.data
        self.allocations[address] = Allocation(kind, address, size, memory)
        return Error.cudaSuccess, address

    def _release(self, kind: str, address: int) -> tuple[Error]:
        one = self.allocations.pop(address)
        assert one.kind == kind, f"{one.kind} memory was given back as {kind}"
        for stream in self.streams.values():
            for work in stream.queue:
                inside = [a for a in work.needs if one.address <= a < one.address + one.size]
                assert not inside, "memory was given back while work was queued on it"
        return (Error.cudaSuccess,)
