"""Pictures of host memory on a stream that others use too: up once, smoothed there, down once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arguments, cuda
from kernels import cuda_arrays as arrays
from kernels.coarse import CoarseSigma
from kernels.cuda_arrays import Workspace, numba_cuda


class StreamSmoother:
    """Smooths on one CUDA stream, in memory kept from call to call; safe to call from any thread.

    Work is ordered with whatever else is queued there. The picture is copied to the device and
    back by way of pinned memory; a coarse map is some kilobytes, a full-size one four bytes per
    pixel. Memory grows to the largest picture.

    Args:
        stream: numba stream, or a stream's address, which has to stay valid.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = arrays.as_stream(stream)
        self._lock = threading.Lock()
        self._workspace = Workspace()
        self._given: Any = None
        self._found: Any = None
        self._source: Any = None
        self._target: Any = None

    def smooth(
        self, image: NDArray[np.uint8], sigma: NDArray[np.float32] | CoarseSigma
    ) -> NDArray[np.uint8]:
        """As `varying_gaussian` with the backend "cuda", for one image `(H, W)` or `(H, W, 3)`.

        Raises:
            KernelError: See `smooth_device`.
            MemoryError: The device, or what can be pinned, is too small.
        """
        values = sigma.values if isinstance(sigma, CoarseSigma) else sigma
        try:
            with self._lock:
                return self._smooth(image, sigma, arguments.largest_sigma(values))
        except Exception as error:
            if "OUT_OF_MEMORY" in str(error):
                raise MemoryError(f"the GPU has too little memory for {image.shape}") from error
            raise

    def _smooth(
        self, image: NDArray[np.uint8], sigma: NDArray[np.float32] | CoarseSigma, largest: float
    ) -> NDArray[np.uint8]:
        self._make_room(image.size)
        given, found, source, target = (
            memory[: image.size].reshape(image.shape)
            for memory in (self._given, self._found, self._source, self._target)
        )
        given[...] = image
        source.copy_to_device(given, stream=self._stream)
        cuda.smooth_device(
            source,
            sigma,
            max_sigma=largest,
            out=target,
            stream=self._stream,
            workspace=self._workspace,
        )
        return np.array(arrays.fetch(target, self._stream, found))

    def _make_room(self, count: int) -> None:
        if self._given is not None and self._given.size >= count:
            return
        device = numba_cuda()
        self._given, self._found = (device.pinned_array(count, np.uint8) for _ in range(2))
        self._source, self._target = (device.device_array(count, np.uint8) for _ in range(2))
