"""TensorRT: building, loading and running engines. The one file that calls it.

Written against the Python API of 10.x (JetPack 6 has 10.3) and 11.x, and nothing that only one of
them has, but for one flag: since 11, every network is strongly typed, before that it has to be
asked for. Precision is a fact of the ONNX graph in both.

Nothing here may be called before `driver.probe` has found a GPU. Work that TensorRT refuses it
answers with `None`, `False` or -1; what it had to say about it went to the logger, and is the text
of the `TensorRTError`.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from models.session import GraphSpec
from models.tensorrt.errors import BrokenEngineError, TensorRTError
from models.tensorrt.key import BuildOptions

_log = logging.getLogger(__name__)

_MAJOR_VERSIONS: Final = (10, 11)
_KEPT_ERRORS: Final = 4
_NAMES: Final[dict[type[np.generic], str]] = {
    np.uint8: "UINT8",
    np.float32: "FLOAT",
    np.int64: "INT64",
}
"""Members of `tensorrt.DataType`."""


class Progress(Protocol):
    """Who is told how a build goes on, from TensorRT's own threads."""

    def started(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps has begun, within a step of its parent if it has one."""
        ...

    def stepped(self, phase: str, step: int) -> bool:
        """A step is done, counted from 0; False asks to end the build."""
        ...

    def finished(self, phase: str) -> None:
        """A phase is over, with or without its steps."""
        ...


def missing() -> str:
    """Why TensorRT cannot be used from Python; empty if it can."""
    try:
        version = _tensorrt().__version__
    except ImportError as error:
        return (
            f"the Python package tensorrt cannot be imported ({error}); on Jetson, `apt install "
            "python3-libnvinfer` and make the environment anew, which links it there; elsewhere, "
            "pip install tensorrt"
        )
    except Exception as error:  # whatever a broken installation raises, it is the answer
        return f"importing tensorrt raised {error!r}; reinstall it"
    if int(version.split(".")[0]) not in _MAJOR_VERSIONS:
        return f"TensorRT {version} is neither 10.x nor 11.x; install one of those"
    return ""


def version() -> str:
    """TensorRT's version, e.g. "10.3.0"."""
    return str(_tensorrt().__version__)


def build(
    content: bytes,
    spec: GraphSpec,
    buckets: tuple[int, ...],
    options: BuildOptions,
    *,
    timing_cache: bytes,
    progress: Progress,
) -> tuple[bytes, bytes]:
    """Build an engine with one optimisation profile per bucket.

    Args:
        content: The ONNX file's.
        spec: The graph's input, whose first dimension is dynamic.
        buckets: Rows of each profile, which takes no other number.
        options: See there.
        timing_cache: What an earlier build left; empty for none. One that does not belong to this
            TensorRT and GPU is not used, and the log says so.
        progress: Told about every phase; may end the build.

    Returns:
        The engine's plan, and the timing cache for the next build.

    Raises:
        TensorRTError: The graph cannot be read or built, or `progress` ended it.
    """
    trt = _tensorrt()
    builder = _made("a builder", lambda: trt.Builder(_logger()))
    network = _made("a network", lambda: builder.create_network(_network_flags()))
    parser = trt.OnnxParser(network, _logger())
    if not parser.parse(content):
        errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise TensorRTError(f"TensorRT {version()} cannot read the graph: {'; '.join(errors)}")
    config = _made("a builder's configuration", builder.create_builder_config)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    config.builder_optimization_level = options.optimization_level
    # One stream, which the smoothing kernel shares, and no more scratch memory than that needs.
    config.max_aux_streams = 0
    for rows in buckets:
        profile = builder.create_optimization_profile()
        shape = (rows, *spec.input_shape)
        profile.set_shape(spec.input_name, shape, shape, shape)
        if config.add_optimization_profile(profile) < 0:
            raise TensorRTError(_said(f"TensorRT refused a profile of {spec.input_name} {shape}"))
    cache = _attach_timing_cache(config, timing_cache)
    monitor = _monitor(progress)  # has to outlive the build, as has the cache
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise TensorRTError(_said("TensorRT built no engine"))
    return bytes(plan), bytes(cache.serialize())


@dataclass(frozen=True)
class Memory:
    """Addresses on the GPU, and of its stream; valid as long as a context that was given them."""

    input: int
    output: int
    scratch: int
    scratch_bytes: int
    stream: int


class Engine:
    """A loaded engine.

    Args:
        plan: What `build` made, by the same TensorRT for the same GPU.

    Raises:
        BrokenEngineError: TensorRT does not take it.
    """

    def __init__(self, plan: bytes) -> None:
        trt = _tensorrt()
        self._runtime = _made("a runtime", lambda: trt.Runtime(_logger()))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise BrokenEngineError(_said("TensorRT cannot load the engine"))

    @property
    def scratch_bytes(self) -> int:
        """Memory that a run works in, whatever its profile."""
        return int(self._engine.device_memory_size_v2)

    def check(self, spec: GraphSpec, buckets: tuple[int, ...]) -> None:
        """See that this is an engine for a graph and these buckets.

        Raises:
            BrokenEngineError: It is another's.
        """
        trt, engine = _tensorrt(), self._engine
        wanted = {
            spec.input_name: (trt.TensorIOMode.INPUT, spec.input_dtype, spec.input_shape),
            spec.output_name: (trt.TensorIOMode.OUTPUT, np.float32, (spec.embedding_size,)),
        }
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        if sorted(names) != sorted(wanted):
            raise BrokenEngineError(f"the engine has {names}, the graph {list(wanted)}")
        for name, (mode, dtype, shape) in wanted.items():
            element = getattr(trt.DataType, _NAMES[dtype])
            found = (
                engine.get_tensor_mode(name),
                engine.get_tensor_dtype(name),
                tuple(engine.get_tensor_shape(name))[1:],
            )
            if found != (mode, element, shape):
                raise BrokenEngineError(f"the engine's {name} is {found}, not {dtype} {shape}")
        profiles = [
            [tuple(dims) for dims in engine.get_tensor_profile_shape(spec.input_name, profile)]
            for profile in range(engine.num_optimization_profiles)
        ]
        if profiles != [[(rows, *spec.input_shape)] * 3 for rows in buckets]:
            raise BrokenEngineError(f"the engine's profiles are {profiles}, not {buckets}")

    def context(self, profile: int, spec: GraphSpec, rows: int, memory: Memory) -> Context:
        """Something to run one profile with.

        Args:
            profile: Its number.
            spec: Of the graph.
            rows: Of every run.
            memory: What it reads, writes and works in.

        Raises:
            TensorRTError: TensorRT refuses.
        """
        strategy = _tensorrt().ExecutionContextAllocationStrategy.USER_MANAGED
        context = _made(
            "an execution context", lambda: self._engine.create_execution_context(strategy)
        )
        return Context(context, profile, spec, rows, memory)


class Context:
    """One profile of an engine with its shapes and addresses set, never changed afterwards.

    A CUDA graph is bound to the state of the context that it was captured from, so every profile
    has a context of its own; contexts whose runs never overlap may share scratch memory.
    """

    def __init__(
        self, context: Any, profile: int, spec: GraphSpec, rows: int, memory: Memory
    ) -> None:
        self._context = context
        self._stream = memory.stream
        if not context.set_optimization_profile_async(profile, memory.stream):
            raise TensorRTError(_said(f"TensorRT refused profile {profile}"))
        context.set_device_memory(memory.scratch, memory.scratch_bytes)
        if not context.set_input_shape(spec.input_name, (rows, *spec.input_shape)):
            raise TensorRTError(_said(f"TensorRT refused {rows} rows of {spec.input_name}"))
        for name, address in ((spec.input_name, memory.input), (spec.output_name, memory.output)):
            if not context.set_tensor_address(name, address):
                raise TensorRTError(_said(f"TensorRT refused an address for {name}"))
        if unset := context.infer_shapes():
            raise TensorRTError(f"TensorRT lacks the shapes of {unset}")

    def enqueue(self) -> None:
        """Queue a run on the stream.

        Raises:
            TensorRTError: TensorRT refuses.
        """
        if not self._context.execute_async_v3(self._stream):
            raise TensorRTError(_said("TensorRT refused to run"))


def _tensorrt() -> Any:
    return importlib.import_module("tensorrt")


def _network_flags() -> int:
    """That every tensor has the type that the graph gives it, as 11.x takes for granted."""
    if int(version().split(".")[0]) >= 11:
        return 0
    return 1 << int(_tensorrt().NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _attach_timing_cache(config: Any, content: bytes) -> Any:
    """The cache that the build uses and adds to: the earlier one if it is good, else a new one."""
    cache = config.create_timing_cache(content)
    if cache is not None and config.set_timing_cache(cache, False):
        return cache
    _log.warning("%s", _said("the timing cache of an earlier build is of no use, a new one begins"))
    cache = _made("a timing cache", lambda: config.create_timing_cache(b""))
    if not config.set_timing_cache(cache, False):
        raise TensorRTError(_said("TensorRT refused an empty timing cache"))
    return cache


def _made(what: str, make: Callable[[], Any]) -> Any:
    """What TensorRT made; it answers with None, or its bindings raise TypeError, if it cannot."""
    try:
        made = make()
    except TypeError as error:
        raise TensorRTError(_said(f"TensorRT cannot make {what}")) from error
    if made is None:
        raise TensorRTError(_said(f"TensorRT cannot make {what}"))
    return made


def _said(problem: str) -> str:
    """A problem with what TensorRT's logger was told last, which is then forgotten."""
    errors = _logger().errors
    said = "; ".join(errors)
    errors.clear()
    return f"{problem}: {said}" if said else problem


def _logger() -> Any:
    return _logger_of(_tensorrt())


@functools.cache
def _logger_of(trt: Any) -> Any:
    """TensorRT's logger: one for the process, for TensorRT keeps the first that it is given."""
    severity = trt.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
    }

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=_KEPT_ERRORS)

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR:
                self.errors.append(" ".join(msg.split()))
            _log.log(level, "TensorRT: %s", msg)

    return Logger()


def _monitor(progress: Progress) -> Any:
    trt = _tensorrt()

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.started(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.stepped(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.finished(phase_name)

    return Monitor()
