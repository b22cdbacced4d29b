"""ONNX Runtime's CUDA provider, for NVIDIA cards in x86 machines."""

from __future__ import annotations

import contextlib
import platform
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from models.backends.contract import ImageGraph, Resources
from models.backends.ort import CPU, OrtSession, library, ort, session_options
from models.errors import BundleError
from models.session import EncoderSession, GraphSpec
from models.tensorrt import driver
from models.tensorrt.errors import NoGpuError

CUDA: Final = "CUDAExecutionProvider"

_PROVIDER_OPTIONS: Final[Mapping[str, str]] = {
    # The arena grows by what is asked for, not to the next power of two: the card is shared.
    "arena_extend_strategy": "kSameAsRequested",
    # The default, an exhaustive search, runs every algorithm anew for each size of batch.
    "cudnn_conv_algo_search": "HEURISTIC",
    # A bundle of 32 bits is one of 32 bits here too; who wants speed exports one of 16.
    "use_tf32": "0",
}

_HEAVY: Final = frozenset({"Conv", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"})
"""Operators that make up an encoder's work. ONNX Runtime keeps arithmetic on shapes on the CPU
knowingly, which is right; one of these there would make every batch travel to and fro."""


class CudaSession(OrtSession):
    """An ONNX graph on ONNX Runtime's CUDA provider, on the first GPU that this process may see.

    Args:
        content: The bytes of the `.onnx` file.
        spec: The input and output that the graph must have.
        threads: CPU threads, for the arithmetic on shapes.
        file: Named in errors.

    Raises:
        BundleError: The graph cannot be loaded, has other inputs or outputs than the spec, or ended
            up on the CPU, as a whole or in one of its heavy operators.
    """

    batch = 32
    """As many tiles as a large picture has: a GPU is not filled by eight."""

    def __init__(self, content: bytes, spec: GraphSpec, *, threads: int, file: Path) -> None:
        options = session_options(threads)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        providers = [(CUDA, dict(_PROVIDER_OPTIONS)), CPU]
        with contextlib.redirect_stdout(sys.stderr):
            _preload_libraries()
            super().__init__(content, spec, providers=providers, options=options, file=file)
        # ONNX Runtime falls back to the CPU in silence, by a whole session or by single nodes.
        if CUDA not in self.providers:
            raise BundleError(
                f"asked for {CUDA}, ONNX Runtime made {self.providers}",
                file=file,
                remedy="install the CUDA and cuDNN libraries that it was built for: "
                "pip install 'onnxruntime-gpu[cuda,cudnn]'",
            )
        self._nodes = self._check_nodes()

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        device = self._session.get_provider_options()[CUDA].get("device_id")
        nodes = {"nodes": dict(self._nodes)} if self._nodes else {}
        return {**super().describe(), "device": f"GPU {device}", **nodes}

    def _check_nodes(self) -> Counter[str]:
        """Nodes per provider, of the graph as loaded; none where ONNX Runtime cannot tell."""
        # Newer versions can tell.
        tell = getattr(self._session, "get_provider_graph_assignment_info", None)
        if tell is None:
            return Counter()
        placed = [(part.ep_name, node.op_type) for part in tell() for node in part.get_nodes()]
        strayed = sorted({operator for provider, operator in placed if provider != CUDA} & _HEAVY)
        if strayed:
            raise BundleError(
                f"ONNX Runtime left {', '.join(strayed)} of the graph on the CPU",
                file=self._file,
                remedy="export the bundle with precision fp32 or fp16 for CUDA",
            )
        return Counter(provider for provider, _ in placed)


class CudaBackend:
    """See `Backend`."""

    name = "cuda"

    def version(self) -> str:
        """See `Backend.version`."""
        return library() if CUDA in ort.get_available_providers() else ""

    def problem(self) -> str:
        """See `Backend.problem`."""
        try:
            driver.probe()
        except NoGpuError as error:
            return str(error)
        if CUDA in ort.get_available_providers():
            return ""
        if platform.machine() == "aarch64":
            return f"{library()} has no CUDA in it; on Jetson, use tensorrt"
        plain, gpu = _installed("onnxruntime"), _installed("onnxruntime-gpu")
        if plain and gpu:
            return (
                f"onnxruntime {plain} has overwritten onnxruntime-gpu {gpu}, for both install the "
                "same files; uninstall both, then install 'onnxruntime-gpu[cuda,cudnn]' alone"
            )
        return (
            f"{library()} has no CUDA in it; "
            "uninstall it, then install 'onnxruntime-gpu[cuda,cudnn]' in its place"
        )

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        """See `Backend.open`."""
        return CudaSession(graph.content, graph.spec, threads=resources.threads, file=graph.file)


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _preload_libraries() -> None:
    """Find CUDA and cuDNN where pip puts them; what is missing shows when the session is made."""
    # Newer versions can.
    preload = getattr(ort, "preload_dlls", None)
    if preload is not None:
        preload()
