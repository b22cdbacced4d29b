"""What an engine is good for: one graph, one TensorRT, one kind of GPU, one way of building."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from models.tensorrt.buckets import BUCKETS
from models.tensorrt.driver import Gpu

ENGINE_SUFFIX = ".engine"

_WORKSPACE_SHARE = 4
_MOST_WORKSPACE_BYTES = 2 << 30


@dataclass(frozen=True)
class BuildOptions:
    """What the builder is told, and what the engine therefore depends on.

    Attributes:
        optimization_level: 0..5, TensorRT's; 3 is its default.
        workspace_bytes: Most scratch memory that a kernel may use.
    """

    optimization_level: int = 3
    workspace_bytes: int = _MOST_WORKSPACE_BYTES

    @staticmethod
    def of(gpu: Gpu) -> BuildOptions:
        """A quarter of the memory, which on Jetson is everybody's, and 2 GiB at most."""
        share = gpu.memory_bytes // _WORKSPACE_SHARE
        # In whole powers of two: the memory that is told varies a little from boot to boot.
        rounded = 1 << (max(share, 1).bit_length() - 1)
        return BuildOptions(workspace_bytes=min(rounded, _MOST_WORKSPACE_BYTES))


@dataclass(frozen=True)
class EngineKey:
    """Everything whose change makes an engine useless, or not the best.

    Attributes:
        graph_sha256: Of the ONNX file, as 64 hex digits.
        tensorrt: TensorRT's version; engines are for exactly the one that built them.
        capability: Compute capability, major and minor.
        processors: Streaming multiprocessors.
        buckets: Rows of each optimisation profile.
        options: What the builder was told.
    """

    graph_sha256: str
    tensorrt: str
    capability: tuple[int, int]
    processors: int
    options: BuildOptions
    buckets: tuple[int, ...] = BUCKETS

    @staticmethod
    def of(content: bytes, tensorrt: str, gpu: Gpu) -> EngineKey:
        """The key of the engine that this machine needs for a graph."""
        return EngineKey(
            graph_sha256=hashlib.sha256(content).hexdigest(),
            tensorrt=tensorrt,
            capability=gpu.capability,
            processors=gpu.processors,
            options=BuildOptions.of(gpu),
        )

    @property
    def device(self) -> str:
        """The kind of GPU, e.g. "sm87x8": compute capability 8.7, eight multiprocessors."""
        major, minor = self.capability
        return f"sm{major}{minor}x{self.processors}"

    @property
    def file_name(self) -> str:
        """Of the engine; equal for equal keys only, and readable as far as it goes."""
        text = json.dumps(asdict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"image-trt{self.tensorrt}-{self.device}-{digest}{ENGINE_SUFFIX}"

    @property
    def timing_cache_name(self) -> str:
        """Of the timing cache, which any graph may share on this TensorRT and kind of GPU."""
        return f"timing-trt{self.tensorrt}-{self.device}.cache"
