"""Image encoders on TensorRT: engines built on the device that they run on.

An ONNX graph becomes an *engine* there, in minutes, and runs only where it was built (`key`). It is
built in a process of its own (`build`) while another backend serves (`standby`), kept in a bundle's
`engines/` directory (`engines`), proven against the CPU on fixed tiles (`proof`), and run as one
CUDA graph per number of tiles (`session`, `buckets`). `calls` and `cuda` alone call TensorRT and
CUDA, and nothing does before the driver has been asked (`driver`): without one, TensorRT's runtime
ends the process.
"""

from __future__ import annotations

from pathlib import Path

from models.manifest import Manifest
from models.session import EncoderSession, GraphSpec
from models.tensorrt import calls, cuda, driver
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import EngineError, NoGpuError
from models.tensorrt.key import EngineKey
from models.tensorrt.standby import StandbySession

__all__ = ["EngineError", "open_session", "problem"]


def problem() -> str:
    """Why TensorRT cannot serve on this machine and what would help; empty if it can."""
    try:
        driver.probe()
    except NoGpuError as error:
        return str(error)
    return calls.missing() or cuda.missing()


def open_session(
    content: bytes,
    spec: GraphSpec,
    *,
    manifest: Manifest,
    engines: Path,
    standby: EncoderSession,
    file: Path,
    build: bool = True,
) -> StandbySession:
    """Encode images on TensorRT, at once or as soon as there is an engine.

    Args:
        content: The bytes of the ONNX file.
        spec: The input and output of the graph.
        manifest: Of the graph's bundle.
        engines: The bundle's directory for engines; see `EngineStore.beside`.
        standby: The same graph on another backend, which serves meanwhile, and if the GPU fails.
        file: The ONNX file itself, which the process that builds reads again.
        build: Whether an engine that is not there is built in the background.

    Returns:
        A session that serves at once.

    Raises:
        NoGpuError: There is no GPU; ask `problem` first.
    """
    gpu = driver.probe()
    return StandbySession(
        file,
        EngineKey.of(content, calls.version(), gpu),
        spec,
        manifest,
        gpu,
        EngineStore.beside(engines),
        standby,
        build=build,
    )
