"""Serving while an engine is built: the standby answers until the engine has proven itself."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest
from models.proof import in_batches
from models.session import EncoderSession, GraphSpec
from models.tensorrt.buckets import BUCKETS
from models.tensorrt.build import BuildRequest, build_in_child
from models.tensorrt.cuda import Stream
from models.tensorrt.driver import Gpu
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import BrokenEngineError, BuildError, TensorRTError
from models.tensorrt.key import EngineKey
from models.tensorrt.progress import seconds_left
from models.tensorrt.proven import open_proven
from models.tensorrt.session import TensorRTSession

_log = logging.getLogger(__name__)

State = Literal["absent", "building", "serving", "failed"]


class StandbySession:
    """An image encoder on TensorRT with another one in its place as long as need be.

    At once if the store has the engine, else after a build in the background. From then on the
    standby is kept for the case that the GPU fails. It is never used in silence: `describe` says
    which of the two serves, and why.

    Args:
        file: The ONNX file, for the process that builds.
        key: Of the engine that this machine needs.
        spec: Of the graph.
        manifest: Of its bundle.
        gpu: This machine's.
        store: Where engines are kept.
        standby: The same graph on another backend.
        build: Whether an engine that is not there is built.
    """

    batch = BUCKETS[-1]
    """See `EncoderSession`; the standby gets what it is given in batches of its own."""

    def __init__(
        self,
        file: Path,
        key: EngineKey,
        spec: GraphSpec,
        manifest: Manifest,
        gpu: Gpu,
        store: EngineStore,
        standby: EncoderSession,
        *,
        build: bool,
    ) -> None:
        self._file, self._key, self._spec, self._gpu = file, key, spec, gpu
        self._manifest, self._store, self._standby = manifest, store, standby
        self._engine: TensorRTSession | None = None
        self._state: State = "absent"
        self._reason = "edge-daemon engines build makes one"
        self._share, self._phase = 0.0, "waiting for its turn"
        self._began = time.monotonic()
        self._usual_s = store.usual_build_s(key)
        problem = self._take_over()
        if problem and build and self._state == "absent":
            self._state = "building"
            threading.Thread(target=self._build_and_take_over, name="engine", daemon=True).start()

    @property
    def stream(self) -> Stream | None:
        """The engine's stream; None while the standby serves."""
        engine = self._engine
        return None if engine is None else engine.stream

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See `EncoderSession.encode`."""
        engine = self._engine
        if engine is not None:
            try:
                return engine.encode(batch)
            except TensorRTError as error:
                self._fail(f"the GPU failed at {len(batch)} tiles: {error}")
        if len(batch) == 0:
            return np.empty((0, self._spec.embedding_size), np.float32)
        return in_batches(self._standby, batch)

    def describe(self) -> dict[str, Any]:
        """What serves now, and under `tensorrt` how the engine is."""
        engine = self._engine
        serving = self._standby if engine is None else engine
        return {**serving.describe(), "tensorrt": self._progress()}

    def _progress(self) -> dict[str, Any]:
        if self._state == "serving":
            return {"state": "serving", "engine": self._key.file_name}
        if self._state != "building":
            return {"state": self._state, "reason": self._reason}
        left = seconds_left(time.monotonic() - self._began, self._share, self._usual_s)
        return {
            "state": "building",
            "percent": round(100 * self._share),
            "phase": self._phase,
            "seconds_left": None if left is None else round(left),
        }

    def _build_and_take_over(self) -> None:
        request = BuildRequest.of(self._file, self._key.graph_sha256, self._store, self._spec)
        try:
            build_in_child(request, self._follow)
            problem = self._take_over()
        except BuildError as error:
            self._fail(f"no engine could be built: {error}")
        except BaseException as error:
            self._fail(f"building an engine raised {error!r}")
            raise
        else:
            if problem and self._state == "building":
                self._fail(problem)

    def _follow(self, share: float, phase: str) -> None:
        self._share, self._phase = share, phase

    def _take_over(self) -> str:
        """Serve with the store's engine if it agrees with the standby; else, why not."""
        parts = (self._store, self._key, self._spec, self._manifest, self._gpu, self._standby)
        try:
            opened = open_proven(*parts)
        except BrokenEngineError as error:
            return str(error)
        except TensorRTError as error:
            return self._fail(f"the engine {self._key.file_name} cannot be run: {error}")
        if opened is None:
            return "there is no engine"
        self._engine, proof = opened
        self._state = "serving"
        _log.info("images are encoded by TensorRT, which agrees with the CPU: %s", proof)
        return ""

    def _fail(self, reason: str) -> str:
        _log.error("images are not encoded by TensorRT: %s", reason)
        # The state last: whoever sees it, from another thread, finds the reason.
        self._engine, self._reason = None, reason
        self._state = "failed"
        return reason
