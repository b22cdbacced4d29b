"""Where pictures are smoothed: on the GPU that encodes their tiles if there is one, else here."""

from __future__ import annotations

import logging
import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels import CoarseSigma, cuda, default_backend, varying_gaussian
from kernels.cuda_stream import StreamSmoother
from models import Bundle
from models.session import SharedStream

_log = logging.getLogger(__name__)

_AVAILABLE: Final = "available"


class Smoother:
    """The spatially varying Gaussian, on the image encoder's CUDA stream while it has one.

    Both ways are within a grey level of each other. The CPU smooths until the kernels have been
    compiled, which takes seconds, in the background. What the GPU cannot do the CPU does, and the
    log says so: a picture that does not fit, or, after any other fault, all pictures from then on.

    Args:
        bundle: Whose image encoder may run on a GPU, from the start or later.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._lock = threading.Lock()
        # The stream is kept, for it must not be given back while the smoother has its address.
        self._stream: SharedStream | None = None
        self._smoother: StreamSmoother | None = None
        self._on_device()

    @property
    def runs_on(self) -> str:
        """What would smooth a picture now: "cuda", or one of the CPU's backends."""
        return default_backend() if self._on_device() is None else "cuda"

    def __call__(
        self, image: NDArray[np.uint8], sigma: NDArray[np.float32] | CoarseSigma
    ) -> NDArray[np.uint8]:
        """Smooth one picture, uint8 (H, W, 3), by its map of sigma; see `varying_gaussian`."""
        smoother = self._on_device()
        if smoother is not None:
            try:
                return smoother.smooth(image, sigma)
            except MemoryError as error:
                _log.warning("a picture is smoothed by the CPU: %s", error)
            # Whatever numba raises: a fault of the GPU's must cost no picture.
            except Exception as error:
                self._smoother = None
                _log.error("pictures are smoothed by the CPU from now on: %r", error)
        return varying_gaussian(image, sigma)

    def _on_device(self) -> StreamSmoother | None:
        """The smoother on the encoder's present stream, once it is ready."""
        stream = self._bundle.image_stream
        with self._lock:
            if stream is not self._stream:
                self._stream, self._smoother = stream, None
                if stream is not None:
                    threading.Thread(
                        target=self._prepare, args=(stream,), name="smoother", daemon=True
                    ).start()
            return self._smoother

    def _prepare(self, stream: SharedStream) -> None:
        """Compile for both kinds of map by smoothing with each."""
        if (status := cuda.status()) != _AVAILABLE:
            _log.warning("pictures are smoothed by the CPU: the CUDA kernel is %s", status)
            return
        image, full = np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), np.float32)
        try:
            smoother = StreamSmoother(stream.address)
            for sigma in (full, CoarseSigma.covering(full[:2, :2], 16, 16)):
                smoother.smooth(image, sigma)
        except Exception as error:  # as above
            _log.error("pictures are smoothed by the CPU: %r", error)
            return
        with self._lock:
            if self._stream is stream:
                self._smoother = smoother
                _log.info("pictures are smoothed by the GPU from now on")
