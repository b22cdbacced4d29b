"""The stand-in's runtime: engines and contexts, whose runs ONNX Runtime does."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime

from support.gpu_stand_in.cuda import Work
from support.gpu_stand_in.tensorrt_builder import PLAN, Graph, Shape
from support.gpu_stand_in.tensorrt_types import Bound, Dims

_SCRATCH_PER_ROW = 1000
_NUMPY = {"UINT8": np.uint8, "FLOAT": np.float32, "INT64": np.int64}


class Runtime(Bound):
    """Loads plans."""

    def __init__(self, logger: Any) -> None:
        assert logger.initialised, "ILogger.__init__() was not called"
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        """As TensorRT's: None for what is no plan, or another machine's."""
        problem = ""
        if not serialized_engine.startswith(PLAN):
            problem = "Magic tag does not match"
        else:
            head, content = serialized_engine[len(PLAN) :].split(b"\n", 1)
            told = json.loads(head)
            if told["identity"] == self.machine.identity:
                profiles = [[tuple(dims) for dims in profile] for profile in told["profiles"]]
                return self.api.ICudaEngine(Graph.parsed(content), profiles, self._logger)
            problem = f"The engine plan file is for {told['identity']}"
        self._logger.log(self.api.ILogger.Severity.ERROR, problem)
        return None


class ICudaEngine(Bound):
    """A loaded engine."""

    def __init__(self, graph: Graph, profiles: list[list[Shape]], logger: Any) -> None:
        self._graph, self._profiles, self._logger = graph, profiles, logger
        self._ends = {graph.input[0]: graph.input, graph.output[0]: graph.output}
        self._session: Any = onnxruntime.InferenceSession(
            graph.content, providers=["CPUExecutionProvider"]
        )

    @property
    def num_optimization_profiles(self) -> int:
        """As TensorRT's."""
        return len(self._profiles)

    @property
    def num_io_tensors(self) -> int:
        """As TensorRT's."""
        return len(self._ends)

    @property
    def device_memory_size_v2(self) -> int:
        """As TensorRT's."""
        return _SCRATCH_PER_ROW * max(most[0] for _, _, most in self._profiles)

    def get_tensor_name(self, index: int) -> str:
        """As TensorRT's."""
        return list(self._ends)[index]

    def get_tensor_mode(self, name: str) -> Any:
        """As TensorRT's."""
        mode = self.api.TensorIOMode
        return mode.INPUT if name == self._graph.input[0] else mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        """As TensorRT's."""
        return self.api.DataType[self._ends[name][1]]

    def get_tensor_shape(self, name: str) -> Dims:
        """As TensorRT's: -1 for what is dynamic."""
        return Dims(self._ends[name][2])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        """As TensorRT's."""
        assert name == self._graph.input[0], f"{name} is no input"
        return [Dims(dims) for dims in self._profiles[profile_index]]

    def create_execution_context(self, strategy: Any) -> IExecutionContext:
        """As TensorRT's."""
        return self.api.IExecutionContext(self, strategy)


class IExecutionContext(Bound):
    """Runs an engine; must be told profile, memory, shapes and addresses first."""

    def __init__(self, engine: ICudaEngine, strategy: Any) -> None:
        assert strategy is self.api.ExecutionContextAllocationStrategy.USER_MANAGED
        self._engine = engine
        self._profile: int | None = None
        self._shape: Shape | None = None
        self._addresses: dict[str, int] = {}
        self._scratch = 0
        self._warm = False

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """As TensorRT's."""
        assert stream_handle in self.machine.cuda.streams, "not a stream"
        self._shape, self._warm = None, False
        self._profile = profile_index if profile_index < len(self._engine._profiles) else None
        return self._profile is not None

    def set_device_memory(self, memory: int, size: int) -> None:
        """As TensorRT's."""
        assert memory % 256 == 0, "has to be aligned to 256 bytes"
        assert size >= self._engine.device_memory_size_v2, "too little"
        self.machine.cuda.bytes_at(memory, size, "device")
        self._scratch = memory

    def set_input_shape(self, name: str, shape: Any) -> bool:
        """As TensorRT's: False for what the profile does not have."""
        assert self._profile is not None, "a profile comes first"
        least, _, most = self._engine._profiles[self._profile]
        bounds = zip(least, shape, most, strict=True)
        if name != self._engine._graph.input[0] or not all(a <= b <= c for a, b, c in bounds):
            return self._refuse(f"{name} {shape} is out of the profile's bounds")
        self._shape, self._warm = tuple(shape), False
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """As TensorRT's."""
        assert name in self._engine._ends, f"no tensor {name}"
        self._addresses[name] = memory
        return True

    def infer_shapes(self) -> list[str]:
        """As TensorRT's: inputs without a shape."""
        return [] if self._shape is not None else [self._engine._graph.input[0]]

    def execute_async_v3(self, stream_handle: int) -> bool:
        """As TensorRT's. What it needs is looked at now, what it does is done later."""
        cuda, faults, graph = self.machine.cuda, self.machine.faults, self._engine._graph
        assert stream_handle in cuda.streams, "the default stream would be waited for"
        assert self._shape is not None, "no input shape"
        assert self._scratch, "no memory to work in"
        assert set(self._addresses) == set(self._engine._ends), "an address is missing"
        captured = cuda.streams[stream_handle].capturing is not None
        if captured and not (self._warm and faults.captures):
            cuda.refused_in_capture()
            return self._refuse("operation not permitted when stream is capturing")
        if faults.runs is not None:
            faults.runs -= 1
            if faults.runs < 0:
                return self._refuse("an illegal memory access was encountered")
        self.machine.seen.runs.append((self._shape[0], captured))
        self._warm = True
        needs = [*self._addresses.values(), self._scratch]
        cuda.queue(stream_handle, Work(self._work(graph, self._shape), needs))
        return True

    def _work(self, graph: Graph, shape: Shape) -> Any:
        cuda, dtype = self.machine.cuda, np.dtype(_NUMPY[graph.input[1]])
        (name, _, _), (output, _, (_, size)) = graph.input, graph.output
        given = cuda.bytes_at(self._addresses[name], int(np.prod(shape)) * dtype.itemsize, "device")
        found = cuda.bytes_at(self._addresses[output], shape[0] * size * 4, "device")

        def run() -> None:
            feed = {name: given.view(dtype).reshape(shape)}
            (embeddings,) = self._engine._session.run([output], feed)
            if error := self.machine.faults.disagree:
                embeddings[:, 0] += error
                embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
            found.view(np.float32)[:] = embeddings.ravel()

        return run

    def _refuse(self, problem: str) -> bool:
        self._engine._logger.log(self.api.ILogger.Severity.ERROR, problem)
        return False
