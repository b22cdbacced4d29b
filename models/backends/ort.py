"""A graph on ONNX Runtime, on whichever of its execution providers a subclass asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backends.contract import failed_to_load, failed_to_run
from models.errors import BundleError
from models.session import DYNAMIC, GraphSpec

# Wheels from 1.29 on report to their maker unless told not to before they are loaded: a daemon on a
# customer's network talks to nobody of its own accord.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

# The package has no type stubs; this one name keeps that from spreading.
ort: Any = onnxruntime

CPU = "CPUExecutionProvider"
_TYPES = {np.uint8: "tensor(uint8)", np.float32: "tensor(float)", np.int64: "tensor(int64)"}
_SILENT_BELOW_ERROR = 3


def library() -> str:
    """ONNX Runtime and its version."""
    return f"onnxruntime {ort.__version__}"


class OrtSession:
    """An ONNX graph on ONNX Runtime.

    Args:
        content: The bytes of the `.onnx` file.
        spec: The input and output that the graph must have.
        providers: The execution providers asked for, the preferred one first.
        options: ONNX Runtime's session options.
        file: Named in errors.

    Raises:
        BundleError: The graph cannot be loaded, or has other inputs or outputs than the spec.
    """

    batch: int

    def __init__(
        self,
        content: bytes,
        spec: GraphSpec,
        *,
        providers: Sequence[str | tuple[str, dict[str, str]]],
        options: Any,
        file: Path,
    ) -> None:
        self._spec = spec
        self._file = file
        try:
            # Without `enable_fallback`, what a provider cannot do raises; with it, the wrapper
            # would try others in silence.
            self._session: Any = ort.InferenceSession(
                content, sess_options=options, providers=list(providers), enable_fallback=0
            )
        except Exception as error:
            raise failed_to_load(library(), error, file) from error
        # Older versions know the method only.
        self._session.disable_fallback()
        # The wrapper's own copy of the weights, which it would hold as long as the session lives.
        self._session._model_bytes = None
        self._check_tensors()

    @property
    def providers(self) -> list[str]:
        """The execution providers that the session really has: ONNX Runtime may drop some."""
        return list(self._session.get_providers())

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See `EncoderSession.encode`."""
        feed = {self._spec.input_name: batch}
        try:
            (embeddings,) = self._session.run([self._spec.output_name], feed)
        except Exception as error:
            raise failed_to_run(library(), error, batch, self._file) from error
        return np.asarray(embeddings, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        return {"backend": library(), "providers": self.providers}

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
            (*spec.output_dims, spec.embedding_size),
        )

    def _check_tensor(
        self, kind: str, found: Any, name: str, element: str, shape: tuple[int, ...]
    ) -> None:
        sides = ", ".join("any" if side == DYNAMIC else str(side) for side in shape)
        wanted = f"{name} {element} (N, {sides})"
        seen = ", ".join(f"{t.name} {t.type} {tuple(t.shape)}" for t in found)
        good = (
            len(found) == 1
            and found[0].name == name
            and found[0].type == element
            # Dynamic dimensions have a name or none, fixed ones a number.
            and tuple(d if isinstance(d, int) else DYNAMIC for d in found[0].shape)
            == (DYNAMIC, *shape)
        )
        if not good:
            raise BundleError(
                f"the graph's {kind} is {seen}, but the manifest implies {wanted} with a dynamic N",
                file=self._file,
                remedy="export the bundle again; its graphs and manifest do not belong together",
            )


def session_options(threads: int) -> Any:
    """Options that suit every provider.

    Args:
        threads: CPU threads inside one operator.
    """
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
    # Without VNNI the fastest 8-bit kernels add pairs of products in 16 bits, which overflow: int8
    # graphs are then two to four times as far from float32. This has other kernels used there.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options
