"""Runs a detector on pictures of any size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.study.tasks.detector.description import Graph, Tensor, describe, read_settings
from edge_daemon.study.tasks.detector.detections import Detections
from edge_daemon.study.tasks.detector.errors import DetectorError
from edge_daemon.study.tasks.detector.outputs import read_outputs
from edge_daemon.study.tasks.task import Pixels
from models.backends.ort import CPU, library, ort, session_options

_TYPES: Final[Mapping[str, type]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}
_THREADS: Final = 1
"""A study runs a process per core."""
_GREY: Final = 114
"""What Ultralytics fills up with."""
_MULTIPLE: Final = 32
"""Pixels that sides of a dynamic input are a multiple of: the coarsest stride in use."""
_SIZES: Final = "orig_target_sizes"
"""What RT-DETR and its kin call the size that boxes are scaled to, width first."""


class Detector:
    """A detector in ONNX, on this machine's CPU.

    It is run once, on grey, so that what is misdescribed shows at once.

    Args:
        file: The `.onnx` file, perhaps with settings beside it.

    Attributes:
        names: Of its classes, in small letters.

    Raises:
        DetectorError: It cannot be loaded, or is not as described.
        SettingsError: The settings beside it have mistakes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
            # By its path and not its bytes: large graphs keep their weights in files beside them.
            self._session: Any = ort.InferenceSession(
                str(file), session_options(_THREADS), providers=[CPU], enable_fallback=0
            )
        except Exception as error:  # ONNX Runtime's have no common type.
            raise DetectorError(
                f"cannot load the detector: {error}",
                value=str(file),
                remedy="name an ONNX file that ONNX Runtime reads",
            ) from error
        self._graph = _read_graph(file, self._session)
        self._description = describe(self._graph, read_settings(file))
        self.names = self._description.names
        width, height = self._description.size or (_MULTIPLE * 10, _MULTIPLE * 10)
        self.detect(np.full((height, width, 3), _GREY, np.uint8))

    def facts(self) -> dict[str, Any]:
        """What its detections depend on, as JSON."""
        return {
            "file": self._file.name,
            "blake2b": self._digest,
            "library": library(),
            **asdict(self._description),
        }

    def detect(self, pixels: Pixels) -> Detections:
        """Detect things in a picture.

        Raises:
            DetectorError: It cannot be run, or its outputs are not as described.
        """
        fitted, scale = self._fitted(pixels)
        height, width = fitted.shape[:2]
        feed: dict[str, NDArray[Any]] = {self._graph.image.name: self._samples(fitted)}
        if self._graph.takes_sizes:
            feed[_SIZES] = np.array([[width, height]], np.int64)
        try:
            outputs = self._session.run(None, feed)
        except Exception as error:
            raise DetectorError(
                f"the detector failed: {error}",
                value=f"input {width}x{height}",
                remedy=f"correct size or layout in the settings beside {self._file.name}",
            ) from error
        seen = read_outputs(outputs, self._description, width, height)
        return Detections(seen.edges / (scale * 2), seen.scores, seen.classes)

    def _fitted(self, pixels: Pixels) -> tuple[Pixels, tuple[float, float]]:
        """A picture at the size of the input, and input pixels per source pixel along x and y."""
        height, width = pixels.shape[:2]
        if self._description.size is None:
            across, down = (-(-side // _MULTIPLE) * _MULTIPLE for side in (width, height))
            return _filled_up(pixels, across, down), (1.0, 1.0)
        across, down = self._description.size
        scale = across / width, down / height
        if self._description.fit == "stretch":
            return _resized(pixels, across, down), scale
        least = min(scale)
        inner = _resized(pixels, max(1, round(width * least)), max(1, round(height * least)))
        return _filled_up(inner, across, down), (inner.shape[1] / width, inner.shape[0] / height)

    def _samples(self, pixels: Pixels) -> NDArray[Any]:
        """The input tensor, of one picture."""
        description = self._description
        samples: NDArray[Any] = pixels[..., :: -1 if description.channels == "bgr" else 1]
        if not description.takes_bytes:
            mean, std = (np.array(own, np.float32) for own in (description.mean, description.std))
            scaled = np.multiply(samples, description.scale, dtype=np.float32)
            samples = np.asarray((scaled - mean) / std)
        if description.layout == "nchw":
            samples = np.moveaxis(samples, 2, 0)
        shape = (1, *samples.shape)[-len(self._graph.image.shape) :]
        return np.ascontiguousarray(samples.reshape(shape), _TYPES[self._graph.image.type])


def _read_graph(file: Path, session: Any) -> Graph:
    inputs = [_tensor(one) for one in session.get_inputs()]
    images = [one for one in inputs if one.type in _TYPES and len(one.shape) in (3, 4)]
    others = [one.name for one in inputs if one not in images]
    if len(images) != 1 or others not in ([], [_SIZES]):
        shown = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise DetectorError(
            f"{file.name}: a detector takes one picture, perhaps with {_SIZES}",
            value=shown,
            remedy="export it for inference",
        )
    outputs = tuple(_tensor(one) for one in session.get_outputs())
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    return Graph(file, images[0], bool(others), outputs, metadata)


def _tensor(one: Any) -> Tensor:
    return Tensor(one.name, one.type, tuple(one.shape))


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Bilinear, as detectors are trained and fed."""
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _filled_up(pixels: Pixels, width: int, height: int) -> Pixels:
    """With grey to the right and below."""
    filled = np.full((height, width, 3), _GREY, np.uint8)
    filled[: pixels.shape[0], : pixels.shape[1]] = pixels
    return filled
