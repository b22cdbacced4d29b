"""What can go wrong with TensorRT, as types. Every message says what would help, if anything."""

from __future__ import annotations


class EngineError(Exception):
    """An engine cannot be built, kept or run."""


class NoGpuError(EngineError):
    """There is no GPU to use here."""


class TensorRTError(EngineError):
    """TensorRT or CUDA refused or failed; the message says at what, and in whose words."""


class BrokenEngineError(TensorRTError):
    """An engine file that TensorRT does not take, or that is no engine for this graph."""


class EngineStoreError(EngineError):
    """No directory takes an engine; the message says which were tried, and why not."""


class BuildError(EngineError):
    """An engine could not be built."""
