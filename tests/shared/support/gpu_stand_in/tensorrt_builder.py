"""The stand-in's builder: from ONNX to a plan, in phases."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from dataclasses import dataclass
from typing import Any

import onnx
import onnxruntime

from support.gpu_stand_in.machine import Machine
from support.gpu_stand_in.tensorrt_types import Bound, IHostMemory

PLAN = b"stand-in for a plan\n"
_TIMING = b"stand-in for a timing cache\n"
_ELEMENTS = {"tensor(uint8)": "UINT8", "tensor(float)": "FLOAT", "tensor(int64)": "INT64"}
_STEPS = 4

Shape = tuple[int, ...]


@dataclass
class Graph:
    """An ONNX graph with one input and one output: their names, elements and shapes."""

    content: bytes
    input: tuple[str, str, Shape]
    output: tuple[str, str, Shape]

    @staticmethod
    def parsed(content: bytes) -> Graph:
        """Read by ONNX Runtime, which raises what it likes.

        TensorRT's documentation: network inputs of 8 bits without sign have to be cast before any
        other layer takes them.
        """
        graph = onnx.load_model_from_string(content).graph
        for given in graph.input:
            if given.type.tensor_type.elem_type == onnx.TensorProto.UINT8:
                takers = {node.op_type for node in graph.node if given.name in node.input}
                if takers != {"Cast"}:
                    raise ValueError(f"the UINT8 input {given.name} is taken by {sorted(takers)}")
        session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        ends = [_end(tensor) for tensor in (*session.get_inputs(), *session.get_outputs())]
        return Graph(content, *ends)


def _end(tensor: Any) -> tuple[str, str, Shape]:
    shape = tuple(side if isinstance(side, int) else -1 for side in tensor.shape)
    return tensor.name, _ELEMENTS[tensor.type], shape


class INetworkDefinition(Bound):
    """A network; the parser fills it."""

    def __init__(self, flags: int) -> None:
        self._graph: Graph | None = None
        self.machine.seen.network_flags.append(flags)


class IOptimizationProfile(Bound):
    """Least, usual and most of every input's sides."""

    def __init__(self) -> None:
        self._shapes: dict[str, list[Shape]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
        """As TensorRT's."""
        for least, usual, most in zip(min, opt, max, strict=True):
            if not 0 <= least <= usual <= most:
                raise ValueError("Invalid value provided for profile shape")
        self._shapes[input] = [tuple(min), tuple(opt), tuple(max)]


class ITimingCache(Bound):
    """What earlier builds measured."""

    def __init__(self, entries: list[str], identity: list[Any]) -> None:
        self._entries, self._identity = entries, identity

    def serialize(self) -> IHostMemory:
        """As TensorRT's."""
        told = {"identity": self.machine.identity, "entries": self._entries}
        return IHostMemory(_TIMING + json.dumps(told).encode())


class IBuilderConfig(Bound):
    """What the builder is told."""

    def __init__(self) -> None:
        self.builder_optimization_level = 3
        self.max_aux_streams = -1
        self.progress_monitor: Any = None
        self._profiles: list[IOptimizationProfile] = []
        self._cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        """As TensorRT's."""
        self.machine.seen.workspace_bytes = pool_size

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """As TensorRT's."""
        if not profile._shapes:
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        """As TensorRT's: None for what it cannot read."""
        if not serialized_timing_cache:
            return self.api.ITimingCache([], self.machine.identity)
        if not serialized_timing_cache.startswith(_TIMING):
            return None
        told = json.loads(serialized_timing_cache[len(_TIMING) :])
        return self.api.ITimingCache(told["entries"], told["identity"])

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """As TensorRT's: False for one of another device."""
        if cache._identity != self.machine.identity and not ignore_mismatch:
            return False
        self._cache = cache
        return True


class Builder(Bound):
    """From a network to a plan."""

    def __init__(self, logger: Any) -> None:
        assert logger.initialised, "ILogger.__init__() was not called"
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """As TensorRT's."""
        return self.api.INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        """As TensorRT's."""
        return self.api.IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        """As TensorRT's."""
        return self.api.IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> IHostMemory | None:
        """As TensorRT's: None if it fails or is cancelled, and the logger hears why."""
        machine = self.machine
        if machine.faults.crash:
            os.abort()
        graph = network._graph
        assert graph is not None, "nothing was parsed"
        assert config._profiles, "an input is dynamic, and there is no profile"
        name, _, shape = graph.input
        profiles = [profile._shapes[name] for profile in config._profiles]
        for dims in (dims for profile in profiles for dims in profile):
            assert len(dims) == len(shape)
            assert all(have in (-1, want) for have, want in zip(shape, dims, strict=True))
        machine.seen.aux_streams = config.max_aux_streams
        reasons = [machine.faults.build] if machine.faults.build else []
        if not _Phases(machine, config, graph).run():
            reasons = ["the build was cancelled"]
        if reasons:
            self._logger.log(self.api.ILogger.Severity.ERROR, reasons[0])
            return None
        told = {"identity": machine.identity, "profiles": profiles}
        return IHostMemory(PLAN + json.dumps(told).encode() + b"\n" + graph.content)


class _Phases:
    """A build's phases, told by a thread of its own; nested, as TensorRT's are."""

    def __init__(self, machine: Machine, config: IBuilderConfig, graph: Graph) -> None:
        self._machine, self._config, self._graph = machine, config, graph
        self._going = True

    def run(self) -> bool:
        """Whether the build went through."""
        assert self._config.progress_monitor.initialised, "IProgressMonitor.__init__() not called"
        thread = threading.Thread(target=self._work)
        thread.start()
        thread.join()
        return self._going

    def _work(self) -> None:
        monitor, profiles = self._config.progress_monitor, self._config._profiles
        monitor.phase_start("Building Engine", None, len(profiles))
        for number, profile in enumerate(profiles):
            self._time_kernels(f"{zlib.crc32(self._graph.content)} {profile._shapes}")
            if not self._going or not monitor.step_complete("Building Engine", number):
                self._going = False
                break
        monitor.phase_finish("Building Engine")

    def _time_kernels(self, entry: str) -> None:
        monitor, cache = self._config.progress_monitor, self._config._cache
        known = cache is not None and entry in cache._entries
        monitor.phase_start("Computing profile costs", "Building Engine", _STEPS)
        for step in range(_STEPS):
            if not known:
                self._machine.seen.steps += 1
                time.sleep(self._machine.faults.step_s)
            if not monitor.step_complete("Computing profile costs", step):
                self._going = False
                break
        monitor.phase_finish("Computing profile costs")
        if cache is not None and not known:
            cache._entries.append(entry)


class ParserError(Bound):
    """What a parser found wrong."""

    def __init__(self, text: str) -> None:
        self._text = text

    def desc(self) -> str:
        """As TensorRT's."""
        return self._text


class OnnxParser(Bound):
    """Reads ONNX into a network."""

    def __init__(self, network: INetworkDefinition, logger: Any) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        """As TensorRT's."""
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        """As TensorRT's."""
        return self._errors[index]

    def parse(self, model: bytes, path: str | None = None) -> bool:
        """As TensorRT's."""
        fault = self.machine.faults.parse
        try:
            self._network._graph = Graph.parsed(bytes(model))
        except Exception as error:
            fault = str(error)
        if fault:
            self._errors = [self.api.ParserError(fault)]
        return not fault
