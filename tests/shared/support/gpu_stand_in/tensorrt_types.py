"""The stand-in's plain types: enumerations, shapes, and what users derive from."""

from __future__ import annotations

import enum
from typing import Any

from support.gpu_stand_in import tensorrt_api
from support.gpu_stand_in.machine import Machine

_ENUMERATIONS = {
    "BuilderFlag": {"FP16": 0, "INT8": 2, "TF32": 7},
    "DataType": {"FLOAT": 0, "HALF": 1, "INT64": 8, "UINT8": 5},
    "ExecutionContextAllocationStrategy": {"STATIC": 0, "ON_PROFILE_CHANGE": 1, "USER_MANAGED": 2},
    "ILogger.Severity": {"INTERNAL_ERROR": 0, "ERROR": 1, "WARNING": 2, "INFO": 3, "VERBOSE": 4},
    "MemoryPoolType": {"WORKSPACE": 0},
    "NetworkDefinitionCreationFlag": {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1},
    "TensorIOMode": {"INPUT": 1, "OUTPUT": 2},
}


class _Enumeration(enum.Enum):
    """As pybind11's: no number, but can be made one."""

    def __int__(self) -> int:
        return int(self.value)


def enumerations(version: str) -> dict[str, Any]:
    """By name, with the members that a version has."""
    table = tensorrt_api.table(version)
    return {
        name: _Enumeration(
            name.split(".")[-1],
            {member: value for member, value in members.items() if table[f"{name}.{member}"]},
        )
        for name, members in _ENUMERATIONS.items()
    }


class Bound:
    """A class of the module, bound to the machine that it plays."""

    machine: Machine
    api: Any
    """The module: enumerations are each version's own."""


class ILogger(Bound):
    """To be derived from."""

    def __init__(self) -> None:
        self.initialised = True

    def log(self, severity: Any, msg: str) -> None:
        """Must be overridden."""
        raise AssertionError("ILogger.log must be overridden")


class IProgressMonitor(Bound):
    """To be derived from."""

    def __init__(self) -> None:
        self.initialised = True

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """Must be overridden."""
        raise AssertionError("IProgressMonitor.phase_start must be overridden")

    def step_complete(self, phase_name: str, step: int) -> bool:
        """Must be overridden."""
        raise AssertionError("IProgressMonitor.step_complete must be overridden")

    def phase_finish(self, phase_name: str) -> None:
        """Must be overridden."""
        raise AssertionError("IProgressMonitor.phase_finish must be overridden")


class Dims(tuple[int, ...]):
    """A shape."""

    __slots__ = ()


class IHostMemory(bytes):
    """Memory of TensorRT's that has Python's buffer interface."""

    @property
    def nbytes(self) -> int:
        """Its length."""
        return len(self)
