"""Any object detector in ONNX that an operator names, as a consumer of pictures.

Where the graph does not say how it wants its pixels or what its classes are called, a TOML file of
the same name beside it does: `model.toml` for `model.onnx`, with the keys of `DetectorSettings`.
"""

from edge_daemon.study.tasks.detector.description import DetectorSettings
from edge_daemon.study.tasks.detector.detections import LEAST_OVERLAP, LEAST_SCORE, Detections
from edge_daemon.study.tasks.detector.detector import Detector
from edge_daemon.study.tasks.detector.errors import DetectorError

__all__ = [
    "LEAST_OVERLAP",
    "LEAST_SCORE",
    "Detections",
    "Detector",
    "DetectorError",
    "DetectorSettings",
]
