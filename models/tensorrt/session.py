"""An engine at work: one stream, buffers that never move, and a CUDA graph per bucket."""

from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.session import GraphSpec
from models.tensorrt import calls
from models.tensorrt.buckets import BUCKETS, bucket_for
from models.tensorrt.cuda import DeviceBuffer, Graph, PinnedBuffer, Stream
from models.tensorrt.driver import Gpu
from models.tensorrt.errors import TensorRTError

_log = logging.getLogger(__name__)

_LEAST_SCRATCH = 256


class TensorRTSession:
    """An image encoder on TensorRT; an `EncoderSession`.

    All buckets share one stream and its buffers, for only one run happens at a time: a second
    would not be faster, as the first has the whole GPU. Every bucket is run once and then captured,
    copies included, so that a later run is one launch.

    Args:
        plan: The engine.
        spec: The graph that it was built from.
        gpu: What it runs on, for `describe`.

    Raises:
        BrokenEngineError: TensorRT does not take the plan, or it is another graph's.
        TensorRTError: It cannot be run.
    """

    batch = BUCKETS[-1]
    """See `EncoderSession`."""

    def __init__(self, plan: bytes, spec: GraphSpec, gpu: Gpu) -> None:
        self._spec = spec
        self._gpu = gpu
        self._lock = threading.Lock()
        self._row_bytes = int(np.prod(spec.input_shape)) * np.dtype(spec.input_dtype).itemsize
        self._embedding_bytes = spec.embedding_size * np.dtype(np.float32).itemsize
        self._engine = calls.Engine(plan)
        self._engine.check(spec, BUCKETS)
        self.stream = Stream()
        """For others' work that is to come after what is queued here, and to share its memory."""
        self._input = DeviceBuffer(self.batch * self._row_bytes)
        self._output = DeviceBuffer(self.batch * self._embedding_bytes)
        self._scratch = DeviceBuffer(max(self._engine.scratch_bytes, _LEAST_SCRATCH))
        self._given = PinnedBuffer(self._input.size)
        self._found = PinnedBuffer(self._output.size)
        self._rows = self._given.array(spec.input_dtype, (self.batch, *spec.input_shape))
        self._rows[:] = 0  # the runs that warm up read it all
        self._embeddings = self._found.array(np.float32, (self.batch, spec.embedding_size))
        self._contexts = {
            rows: self._engine.context(profile, spec, rows, self._memory())
            for profile, rows in enumerate(BUCKETS)
        }
        self._graphs: dict[int, Graph] = {}
        self._without_graphs = ""
        for rows in BUCKETS:
            self._prepare(rows)

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See `EncoderSession.encode`.

        Raises:
            TensorRTError: The run failed; CUDA's faults are for good, and end this session's use.
            ValueError: More rows than the largest bucket has.
        """
        count = len(batch)
        if count == 0:
            return np.empty((0, self._spec.embedding_size), np.float32)
        rows = bucket_for(count)
        with self._lock:
            # Rows beyond `count` keep what lies there: no row sees another, and theirs are dropped.
            self._rows[:count] = batch
            if graph := self._graphs.get(rows):
                self.stream.launch(graph)
            else:
                self._queue(rows)
            self.stream.synchronize()
            return np.array(self._embeddings[:count], np.float32)

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        major, minor = self._gpu.capability
        return {
            "backend": f"tensorrt {calls.version()}",
            "device": f"{self._gpu.name} (compute capability {major}.{minor})",
            "buckets": list(BUCKETS),
            "graphs": sorted(self._graphs),
            **({"without_graphs": self._without_graphs} if self._without_graphs else {}),
        }

    def _memory(self) -> calls.Memory:
        return calls.Memory(
            input=self._input.address,
            output=self._output.address,
            scratch=self._scratch.address,
            scratch_bytes=self._scratch.size,
            stream=self.stream.address,
        )

    def _prepare(self, rows: int) -> None:
        """Run a bucket once, for TensorRT sets itself up in the first run, and capture the next."""
        self._queue(rows)
        self.stream.synchronize()
        try:
            self._graphs[rows] = self.stream.capture(lambda: self._queue(rows))
        except TensorRTError as error:
            self._without_graphs = str(error)
            _log.warning(
                "runs of %d tiles are queued kernel by kernel, which is slower: "
                "they cannot be captured as a CUDA graph (%s)",
                *(rows, error),
            )

    def _queue(self, rows: int) -> None:
        self.stream.upload(self._given, self._input, rows * self._row_bytes)
        self._contexts[rows].enqueue()
        self.stream.download(self._output, self._found, rows * self._embedding_bytes)
