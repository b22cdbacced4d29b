"""OpenVINO on the CPU."""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.backends.contract import ImageGraph, Resources, failed_to_load, failed_to_run
from models.errors import BundleError
from models.session import EncoderSession, GraphSpec

_DEVICE: Final = "CPU"
_TELEMETRY: Final = "openvino_telemetry"
_CODE_REFUSED: Final = "can't protect"
"""What its code generator says where memory may not become executable."""


class OpenVinoSession:
    """An ONNX graph on OpenVINO's CPU device.

    Args:
        content: The bytes of the `.onnx` file.
        spec: The input and output of the graph, which a CPU session has checked.
        threads: Threads inside one operator, at least 1.
        full_precision: Whether what the graph does in 32 bits must be done in 32 bits; else the CPU
            may use fewer where it has instructions for that.
        file: Named in errors.

    Raises:
        BundleError: The graph cannot be loaded, or would run on another device.
    """

    batch = 8
    """As for ONNX Runtime: no faster beyond, measured up to 24."""

    def __init__(
        self, content: bytes, spec: GraphSpec, *, threads: int, full_precision: bool, file: Path
    ) -> None:
        self._spec = spec
        self._file = file
        openvino = _openvino()
        self._library = library()
        try:
            core = openvino.Core()
            # Of the batch nothing is fixed: measured, a dynamic one costs no time.
            model = core.read_model(content)
            self._model: Any = core.compile_model(
                model, _DEVICE, _properties(threads, full_precision=full_precision)
            )
        except Exception as error:
            if _CODE_REFUSED in str(error):
                raise BundleError(
                    "OpenVINO may not generate code in this process",
                    file=file,
                    remedy="under systemd: deploy/install.sh --drop-in openvino, which lifts "
                    "MemoryDenyWriteExecute",
                ) from error
            raise failed_to_load(self._library, error, file) from error
        self._devices = [str(device) for device in self._model.get_property("EXECUTION_DEVICES")]
        if self._devices != [_DEVICE]:
            raise BundleError(
                f"asked for {_DEVICE}, OpenVINO took {self._devices}",
                file=file,
                remedy="update openvino",
            )
        # A request holds the tensors of one run, so every thread has its own.
        self._of_thread = threading.local()

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See `EncoderSession.encode`."""
        spec = self._spec
        # OpenVINO would convert another dtype in silence.
        if batch.dtype != spec.input_dtype or batch.shape[1:] != spec.input_shape:
            wanted = f"it takes {np.dtype(spec.input_dtype)} (N, {spec.input_shape})"
            raise failed_to_run(self._library, wanted, batch, self._file)
        try:
            found = self._request().infer(
                {spec.input_name: np.ascontiguousarray(batch)}, share_inputs=True
            )
            # A copy: the next run of this thread writes to the same memory.
            return np.array(found[spec.output_name], dtype=np.float32)
        except Exception as error:
            raise failed_to_run(self._library, error, batch, self._file) from error

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        ask = self._model.get_property
        return {
            "backend": self._library,
            "devices": self._devices,
            "inference_precision": ask("INFERENCE_PRECISION_HINT").to_string(),
            "threads": ask("INFERENCE_NUM_THREADS"),
        }

    def _request(self) -> Any:
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        return self._of_thread.request


class OpenVinoBackend:
    """See `Backend`."""

    name = "openvino"

    def version(self) -> str:
        """See `Backend.version`."""
        return library()

    def problem(self) -> str:
        """See `Backend.problem`."""
        if find_spec("openvino") is None:
            return "openvino is not installed; pip install 'edge-daemon[openvino]'"
        return ""

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        """See `Backend.open`."""
        return OpenVinoSession(
            graph.content,
            graph.spec,
            threads=resources.threads,
            full_precision=graph.precision != "fp16",
            file=graph.file,
        )


def library() -> str:
    """OpenVINO and its version as its package says it, without importing it; "" without it."""
    try:
        return f"openvino {version('openvino')}"
    except PackageNotFoundError:
        return ""


def _properties(threads: int, *, full_precision: bool) -> dict[str, Any]:
    return {
        # All threads work on one batch. The hint "THROUGHPUT" gives each thread a batch of its own,
        # but batches come one at a time.
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # The same cores decode, smooth and encode pictures: the scheduler must be free to move.
        "ENABLE_CPU_PINNING": False,
        # Left alone, CPUs with instructions for 16 bits use them.
        **({"INFERENCE_PRECISION_HINT": "f32"} if full_precision else {}),
    }


def _openvino() -> Any:
    """The package, imported without its telemetry: importing it would report to its maker."""
    others: dict[str, Any] = sys.modules
    before = others.get(_TELEMETRY)
    # What is None here cannot be imported; the package has a stub for that case.
    others[_TELEMETRY] = None
    try:
        return importlib.import_module("openvino")
    finally:
        del others[_TELEMETRY]
        if before is not None:
            others[_TELEMETRY] = before
