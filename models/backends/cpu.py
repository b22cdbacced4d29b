"""ONNX Runtime on the CPU: the backend that is always there, and that others are held against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from models.backends.contract import ImageGraph, Resources
from models.backends.ort import CPU, OrtSession, library, session_options
from models.errors import BundleError
from models.session import EncoderSession, GraphSpec


def usable_cores() -> int:
    """Cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class CpuSession(OrtSession):
    """An ONNX graph on ONNX Runtime's CPU provider.

    Args:
        content: The bytes of the `.onnx` file.
        spec: The input and output that the graph must have.
        threads: Threads inside one operator, at least 1.
        file: Named in errors.

    Raises:
        BundleError: The graph cannot be loaded, has other inputs or outputs than the spec, or ended
            up on another provider than the CPU.
    """

    batch = 8
    """Larger batches are no faster on a CPU and cost memory."""

    def __init__(self, content: bytes, spec: GraphSpec, *, threads: int, file: Path) -> None:
        super().__init__(
            content, spec, providers=[CPU], options=session_options(threads), file=file
        )
        self._threads = threads
        if self.providers != [CPU]:
            raise BundleError(
                f"asked for {CPU}, ONNX Runtime made {self.providers}",
                file=file,
                remedy="install a plain `onnxruntime` in this environment",
            )

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        return {**super().describe(), "threads": self._threads}


class CpuBackend:
    """See `Backend`."""

    name = "cpu"

    def version(self) -> str:
        """See `Backend.version`."""
        return library()

    def problem(self) -> str:
        """None: a bundle that does not run here is damaged."""
        return ""

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        """The reference itself."""
        return reference
