"""ONNX Runtime on the CPU: the backend that is always there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError
from models.session import GraphSpec

# Wheels from 1.29 on report to their maker unless told not to before they are loaded: a daemon on a
# customer's network talks to nobody of its own accord.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

# The package has no type stubs; this one name keeps that from spreading.
ort: Any = onnxruntime

_CPU = "CPUExecutionProvider"
_TYPES = {np.uint8: "tensor(uint8)", np.float32: "tensor(float)", np.int64: "tensor(int64)"}
_SILENT_BELOW_ERROR = 3


def usable_cores() -> int:
    """Cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class OrtSession:
    """An ONNX graph on ONNX Runtime's CPU provider.

    Args:
        content: The bytes of the `.onnx` file. Bytes and not a path, so that what was hashed is
            what runs, and so that a graph cannot pull in files that the manifest does not list.
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
        self._spec = spec
        self._threads = threads
        self._file = file
        try:
            self._session: Any = ort.InferenceSession(
                content, sess_options=_options(threads), providers=[_CPU]
            )
        # ONNX Runtime's exceptions share no base class of their own.
        except Exception as error:
            raise BundleError(
                f"ONNX Runtime {ort.__version__} cannot load the graph ({_one_line(error)})",
                file=file,
                remedy="copy or export the bundle again, or update onnxruntime",
            ) from error
        # After a failure the wrapper would try other providers in silence, from a copy of the
        # weights that it holds as long as the session lives. Neither is wanted.
        self._session.disable_fallback()
        self._session._model_bytes = None
        self._check_provider()
        self._check_tensors()

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See `EncoderSession.encode`."""
        feed = {self._spec.input_name: batch}
        try:
            (embeddings,) = self._session.run([self._spec.output_name], feed)
        except Exception as error:
            raise BundleError(
                f"ONNX Runtime failed on an input of shape {batch.shape} ({_one_line(error)})",
                file=self._file,
                remedy="export the bundle again; its graph refuses what its manifest promises",
            ) from error
        return np.asarray(embeddings, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        return {
            "backend": f"onnxruntime {ort.__version__}",
            "providers": list(self._session.get_providers()),
            "threads": self._threads,
        }

    def _check_provider(self) -> None:
        # ONNX Runtime falls back to other providers in silence; ask what it made.
        providers = list(self._session.get_providers())
        if providers != [_CPU]:
            raise BundleError(
                f"asked for {_CPU}, ONNX Runtime made {providers}",
                file=self._file,
                remedy="install a plain `onnxruntime` in this environment",
            )

    def _check_tensors(self) -> None:
        spec = self._spec
        self._check_tensor(
            "input",
            self._session.get_inputs(),
            spec.input_name,
            _TYPES[spec.input_dtype],
            spec.input_shape,
        )
        self._check_tensor(
            "output",
            self._session.get_outputs(),
            spec.output_name,
            _TYPES[np.float32],
            (spec.embedding_size,),
        )

    def _check_tensor(
        self, kind: str, found: Any, name: str, element: str, shape: tuple[int, ...]
    ) -> None:
        wanted = f"{name} {element} (N, {', '.join(map(str, shape))})"
        seen = ", ".join(f"{t.name} {t.type} {tuple(t.shape)}" for t in found)
        good = (
            len(found) == 1
            and found[0].name == name
            and found[0].type == element
            and tuple(found[0].shape[1:]) == shape
            and not isinstance(found[0].shape[0], int)
        )
        if not good:
            raise BundleError(
                f"the graph's {kind} is {seen}, but the manifest implies {wanted} with a dynamic N",
                file=self._file,
                remedy="export the bundle again; its graphs and manifest do not belong together",
            )


def _options(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _SILENT_BELOW_ERROR
    # The memory arena stays on: it grows to the largest batch and no further, some 80 MB for eight
    # tiles of a 39 M tower, and a bundle never runs a larger batch.
    # Waiting threads sleep instead of spinning: the same cores decode, smooth and encode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _one_line(error: Exception, longest: int = 300) -> str:
    return " ".join(str(error).split())[:longest]
