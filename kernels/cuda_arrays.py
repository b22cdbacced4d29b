"""Arrays, streams and working memory on the device, for `kernels.cuda`."""

from __future__ import annotations

import importlib
import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arguments
from kernels.definition import MAX_SIGMA
from kernels.errors import KernelError

_RANGE_BLOCKS = 128

# A small picture takes few blocks, and that is no mistake.
warnings.filterwarnings("ignore", message=r".*Grid size \d+ will likely result in GPU under-util")


def numba_cuda() -> Any:
    """Numba, its CUDA module, imported when it is first needed."""
    return importlib.import_module("numba.cuda")


class Workspace:
    """Device memory that calls work in, kept from call to call because numba allocates slowly.

    It belongs to the device that is current when it is first used and grows to the largest pyramid
    that it has held: for large colour images, up to about 2.2 bytes per pixel and image. Calls may
    use it one after another on different streams, each of which then waits for the call before;
    but not from two threads at once.
    """

    def __init__(self) -> None:
        self._samples: Any = None
        self._done: Any = None

    def claim(self, samples: int, stream: Any) -> Any:
        """Memory for int16 samples, for work on `stream` until `release`."""
        cuda = numba_cuda()
        if self._done is None:
            self._done = cuda.event()
        else:
            self._done.wait(stream)
        if self._samples is None or self._samples.size < samples:
            # Kernels may still work in the old memory: numba frees with cuMemFree, which waits.
            self._samples = cuda.device_array(max(samples, 1), np.int16)
        return self._samples

    def release(self, stream: Any) -> None:
        """What is queued on `stream` by now is the last to work in the memory."""
        self._done.record(stream)


class _Kept(threading.local):
    def __init__(self) -> None:
        self.by_device: dict[str, Workspace] = {}


_kept = _Kept()


def default_workspace() -> Workspace:
    """The one that this thread keeps for the current device."""
    return _kept.by_device.setdefault(numba_cuda().get_current_device().uuid, Workspace())


def as_stream(stream: Any) -> Any:
    """A numba stream from one, from a stream's address, or from None."""
    if stream is None:
        return numba_cuda().default_stream()
    return numba_cuda().external_stream(stream) if isinstance(stream, int) else stream


def is_device_array(value: Any) -> bool:
    """Whether a value says that it lies on a device."""
    return hasattr(value, "__cuda_ndarray__") or hasattr(value, "__cuda_array_interface__")


def as_device_array(name: str, value: Any, scalar: type[np.generic], stream: Any) -> Any:
    """A numba view of a device array, if it is C-contiguous and of the dtype.

    `stream` is made to wait for the work that the array's own stream has queued by now.
    """
    if not is_device_array(value):
        raise KernelError(
            f"{name} is a {type(value).__name__}; pass an array with __cuda_array_interface__"
        )
    if getattr(value, "__cuda_ndarray__", False):  # numba's own
        array = value
    else:
        array = numba_cuda().as_cuda_array(value, sync=False)  # the stream waits, below
        if name == "out" and value.__cuda_array_interface__["data"][1]:
            raise KernelError("out is read-only; pass a writable array, or None to have one made")
    if array.dtype != scalar:
        raise KernelError(f"{name} has dtype {array.dtype}; pass {np.dtype(scalar)}")
    if not array.is_c_contiguous():
        raise KernelError(f"{name} has strides {array.strides}; pass a C-contiguous array")
    if array.stream:
        event = numba_cuda().event()
        event.record(array.stream)
        event.wait(stream)
    return array


def to_device(array: NDArray[Any], stream: Any) -> Any:
    """A C-contiguous copy on the device."""
    return numba_cuda().to_device(with_usual_strides(array), stream=stream)


def with_usual_strides(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of it, with the strides of a new array of its shape.

    An axis of length 1 may have any stride, and `array[None]` has one of 0. Numba takes it over,
    and then cannot reshape without a copy, which it does not make.
    """
    return np.ascontiguousarray(array).reshape(-1).reshape(array.shape)


def fetch(array: Any, stream: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """The array in host memory, once `stream` is done with it."""
    host: Any = np.empty(array.shape, array.dtype) if out is None else out
    array.copy_to_host(host, stream=stream)
    stream.synchronize()
    return host


def largest_sigma(values: Any, stream: Any) -> float:
    """As `arguments.largest_sigma`, of a map on the device; waits for the answer."""
    if values.size == 0:
        return 0.0
    pyramid = importlib.import_module("kernels.cuda_pyramid")
    found = numba_cuda().to_device(np.zeros(2, np.float32), stream=stream)
    blocks = min(_RANGE_BLOCKS, -(-values.size // pyramid.RANGE_THREADS))
    kernel = pyramid.range_kernel()
    kernel[blocks, pyramid.RANGE_THREADS, stream](
        values.reshape(values.size), np.float32(MAX_SIGMA), found
    )
    largest, bad = (float(number) for number in fetch(found, stream))
    return arguments.largest_sigma(fetch(values, stream)) if bad else largest


def stand_in(array: Any) -> NDArray[Any]:
    """A NumPy array of a device array's shape and dtype, without its memory, to be checked."""
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def overlap(one: Any, other: Any) -> bool:
    """Whether two C-contiguous device arrays share memory."""
    (first, first_end), (second, second_end) = _span(one), _span(other)
    return first < second_end and second < first_end


def _span(array: Any) -> tuple[int, int]:
    """The addresses of an array's memory; those of simulated memory are the host's."""
    interface = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
    start = int(interface["data"][0])
    return start, start + int(array.size) * int(array.dtype.itemsize)
