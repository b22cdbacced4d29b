"""What detectors put out -> boxes in pixels of their input, scores and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.study.tasks.detector.description import Description
from edge_daemon.study.tasks.detector.detections import LEAST_SCORE, Detections
from edge_daemon.study.tasks.detector.errors import DetectorError

MOST_OVERLAP: Final = 0.45
"""Of two boxes of a class from a detector that does not choose among its own; YOLOv5's default."""
_BOX: Final = 4

Floats = NDArray[np.float64]


def read_outputs(
    outputs: Sequence[NDArray[Any]], description: Description, width: int, height: int
) -> Detections:
    """Read one picture's outputs.

    Args:
        outputs: As the graph has them.
        description: Of the detector.
        width: Of its input, pixels.
        height: Of its input, pixels.

    Returns:
        In pixels of the input.

    Raises:
        DetectorError: They are not as described.
    """
    size = np.array((width, height) * 2, np.float64)
    match description.kind:
        case "yolo":
            edges, scores, classes = _of_yolo(outputs, len(description.names))
        case "detr":
            edges, scores, classes = _of_detr(outputs, description)
            edges = edges * size
        case "boxes":
            edges, scores, classes = _of_boxes(outputs)
            edges = edges * size if description.coordinates == "shares" else edges
    if classes.size and not 0 <= classes.min() <= classes.max() < len(description.names):
        raise DetectorError(
            f"the detector knows class {classes.max()}, but {len(description.names)} names are "
            "known",
            remedy="name all of its classes in the settings beside it",
        )
    kept = scores >= LEAST_SCORE
    edges, scores, classes = edges[kept], scores[kept], classes[kept]
    if description.kind == "yolo":
        best = _best(edges, scores, classes)
        edges, scores, classes = edges[best], scores[best], classes[best]
    return Detections(edges, scores, classes)


def _of_yolo(
    outputs: Sequence[NDArray[Any]], names: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """YOLOv5 has a column for whether there is anything; from v8 on there is none."""
    widths = (_BOX + names, _BOX + 1 + names)
    if len(outputs) != 1 or outputs[0].ndim != 3 or not {*outputs[0].shape[1:]} & {*widths}:
        raise _unlike(outputs, f"one of (1, {widths[0]} or {widths[1]}, N), either way round")
    rows = outputs[0][0].astype(np.float64)
    # There are more boxes than columns, should both sides fit.
    if rows.shape[1] not in widths or (rows.shape[0] in widths and rows.shape[0] < rows.shape[1]):
        rows = rows.T
    scores = rows[:, -names:]
    if rows.shape[1] == widths[1]:
        scores = scores * rows[:, _BOX : _BOX + 1]
    return _edges(rows[:, :_BOX]), scores.max(axis=1), scores.argmax(axis=1)


def _of_detr(
    outputs: Sequence[NDArray[Any]], description: Description
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    boxes = [output for output in outputs if output.ndim == 3 and output.shape[2] == _BOX]
    logits = [output for output in outputs if output.ndim == 3 and output.shape[2] != _BOX]
    if len(boxes) != 1 or len(logits) != 1 or boxes[0].shape[1] != logits[0].shape[1]:
        raise _unlike(outputs, "boxes (1, N, 4) and logits (1, N, C)")
    values = logits[0][0].astype(np.float64)
    if description.scores == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        scores = (powers / powers.sum(axis=1, keepdims=True))[:, :-1]
    else:
        scores = 1.0 / (1.0 + np.exp(-values))
    return _edges(boxes[0][0].astype(np.float64)), scores.max(axis=1), scores.argmax(axis=1)


def _of_boxes(
    outputs: Sequence[NDArray[Any]],
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    batched = any(output.ndim == 3 for output in outputs)
    flat = [output[0] for output in outputs] if batched else outputs
    boxes = [output for output in flat if output.ndim == 2 and output.shape[1] == _BOX]
    labels = [output for output in flat if output.ndim == 1 and output.dtype.kind in "iu"]
    scores = [output for output in flat if output.ndim == 1 and output.dtype.kind == "f"]
    found = (boxes, labels, scores)
    if any(len(one) != 1 for one in found) or len({len(one[0]) for one in found}) != 1:
        raise _unlike(outputs, "boxes (N, 4), labels (N) in integers and scores (N)")
    return boxes[0].astype(np.float64), scores[0].astype(np.float64), labels[0].astype(np.int64)


def _edges(boxes: Floats) -> Floats:
    """Left, top, right and bottom of boxes given by their centres and sides."""
    centres, sides = boxes[:, :2], boxes[:, 2:]
    return np.concatenate((centres - sides / 2, centres + sides / 2), axis=1)


def _best(edges: Floats, scores: Floats, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the boxes that no better one of their class overlaps."""
    boxes = np.concatenate((edges[:, :2], edges[:, 2:] - edges[:, :2]), axis=1)
    kept: Any = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), scores.tolist(), classes.tolist(), LEAST_SCORE, MOST_OVERLAP
    )
    return np.asarray(kept, np.int64)


def _unlike(outputs: Sequence[NDArray[Any]], wanted: str) -> DetectorError:
    shown = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    return DetectorError(
        f"the detector's outputs are not as described: {wanted}",
        value=shown,
        remedy="correct kind or names in the settings beside it",
    )
