"""Building an engine, in this process or in one of its own.

TensorRT's builder takes minutes and gigabytes, and may take its process along when it fails. So it
runs in a child (`child`), at low priority, which says how far it is in JSON, a line per message:
`{"share": .., "phase": ..}`, and last `{"built": PATH}` or `{"problem": ..}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from models.session import GraphSpec
from models.tensorrt import calls, driver
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import BuildError, EngineError
from models.tensorrt.key import EngineKey
from models.tensorrt.progress import Phases

_TAIL_BYTES: Final = 400
_DTYPES: Final[dict[str, Any]] = {"uint8": np.uint8, "float32": np.float32}


@dataclass(frozen=True)
class BuildRequest:
    """What a child is to build.

    Attributes:
        onnx: The graph's file.
        sha256: That it must have, as 64 hex digits.
        directories: Of the store, in its order.
        input_name: See `GraphSpec`, as the rest.
        input_dtype: Its NumPy name.
        input_shape: Without the batch.
        embedding_size: Of the output.
        force: Build although there is an engine for the key.
    """

    onnx: str
    sha256: str
    directories: tuple[str, ...]
    input_name: str
    input_dtype: str
    input_shape: tuple[int, ...]
    embedding_size: int
    force: bool

    @staticmethod
    def of(
        onnx: Path, sha256: str, store: EngineStore, spec: GraphSpec, *, force: bool = False
    ) -> BuildRequest:
        """The request for one graph and store."""
        return BuildRequest(
            onnx=str(onnx),
            sha256=sha256,
            directories=tuple(str(path) for path in store.directories),
            input_name=spec.input_name,
            input_dtype=spec.input_dtype.__name__,
            input_shape=spec.input_shape,
            embedding_size=spec.embedding_size,
            force=force,
        )


def build_in_child(request: BuildRequest, report: Callable[[float, str], None]) -> Path:
    """Build an engine in a process of its own, and follow it to its end.

    Args:
        request: What to build.
        report: Called with the share that is done, 0..1, and the phase.

    Returns:
        The engine's file.

    Raises:
        BuildError: It cannot be built or kept, or the process died.
    """
    # The child has to find the same packages, however this process came by them.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "models.tensorrt.child", json.dumps(asdict(request))]
    outcome: dict[str, str] = {}
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise BuildError(f"the process that builds cannot be started ({error})") from error
        with child:
            try:
                for line in child.stdout or ():
                    message = json.loads(line)
                    if "share" in message:
                        report(message["share"], message["phase"])
                    else:
                        outcome = message
            except BaseException:
                child.kill()
                raise
        if "built" in outcome:
            return Path(outcome["built"])
        if "problem" in outcome:
            raise BuildError(outcome["problem"])
        code = child.returncode
        died = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise BuildError(f"the process that builds died with {died}{_last_words(errors)}")


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - _TAIL_BYTES))
    text = " ".join(errors.read().decode("utf-8", "replace").split())
    return f": ...{text}" if text else "; the kernel's log may know more"


def build_engine(request: BuildRequest, report: Callable[[float, str], bool]) -> Path:
    """Build an engine in this process, once it is this process's turn.

    Args:
        request: What to build.
        report: See `Phases`.

    Returns:
        The engine's file.

    Raises:
        BuildError: It cannot be built or kept.
    """
    content = _read(request)
    store = EngineStore([Path(path) for path in request.directories])
    try:
        gpu = driver.probe()
        key = EngineKey.of(content, calls.version(), gpu)
        with store.locked():
            # Another process may have built it while this one waited.
            if not request.force and (found := store.find(key)) is not None:
                return found[0]
            started = time.monotonic()
            plan, timing_cache = calls.build(
                content,
                _spec(request),
                key.buckets,
                key.options,
                timing_cache=store.read_timing_cache(key),
                progress=Phases(report),
            )
            took = time.monotonic() - started
            store.write_timing_cache(key, timing_cache)
            return store.write(key, plan, gpu=gpu.name, build_s=took)
    except EngineError as error:
        raise BuildError(str(error)) from error


def _read(request: BuildRequest) -> bytes:
    try:
        content = Path(request.onnx).read_bytes()
    except OSError as error:
        raise BuildError(f"cannot read {request.onnx} ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != request.sha256:
        raise BuildError(f"{request.onnx} changed since it was loaded; start again")
    return content


def _spec(request: BuildRequest) -> GraphSpec:
    return GraphSpec(
        request.input_name,
        _DTYPES[request.input_dtype],
        tuple(request.input_shape),
        request.embedding_size,
    )
