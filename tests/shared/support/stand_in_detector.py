"""Stand-ins for object detectors: graphs that look at fixed places and take red for what is there.

The score of a thing is the mean of its place's first channel as the graph gets it, so whatever
takes the red away or spreads it has the thing no longer found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Form = Literal["yolov5", "yolov8", "detr", "boxes", "rt-detr"]

_OPSET = 18
_SURE = 20.0
"""A logit that is as good as certain, or its negative."""


@dataclass(frozen=True)
class Place:
    """Where a stand-in looks, in pixels of its input, and what it calls what is there."""

    number: int
    left: int
    top: int
    right: int
    bottom: int


class _Graph:
    """Nodes and constants as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [*inputs], [output], **attributes))
        return output


def write_detector(
    file: Path,
    form: Form,
    places: Sequence[Place],
    *,
    classes: int = 2,
    size: tuple[int, int] | None = (96, 64),
    takes_bytes: bool = False,
    batched: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a stand-in.

    Args:
        file: Where.
        form: Of its outputs.
        places: Where it looks.
        classes: How many it tells apart.
        size: Width and height of its input; `None`: any.
        takes_bytes: Whether the input is uint8 (1, H, W, 3), not float32 (1, 3, H, W).
        batched: Whether the input has its first dimension; torchvision's has not.
        metadata: Of the file.
    """
    graph = _Graph()
    width, height = size or ("width", "height")
    image = "image"
    kind, shape = TensorProto.FLOAT, [1, 3, height, width]
    if takes_bytes:
        kind, shape = TensorProto.UINT8, [1, height, width, 3]
        cast = graph.node("Cast", image, to=TensorProto.FLOAT)
        image = graph.node("Div", cast, graph.constant(np.array(255.0, np.float32)))
        image = graph.node("Transpose", image, perm=[0, 3, 1, 2])
    if not batched:
        shape = shape[1:]
        image = graph.node("Unsqueeze", image, graph.constant(np.array([0])))
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    scores = _scores(graph, image, places)
    corners = np.array([[p.left, p.top, p.right, p.bottom] for p in places], np.float32)
    numbers = np.array([place.number for place in places])
    if form in ("yolov5", "yolov8"):
        outputs = _yolo(graph, form, scores, corners, np.eye(classes, dtype=np.float32)[numbers])
    elif form == "detr":
        assert size is not None
        one_hot = np.eye(classes, dtype=np.float32)[numbers]
        outputs = _detr(graph, scores, corners / np.array([*size, *size], np.float32), one_hot)
    else:
        outputs = _boxes(graph, scores, numbers)
        if form == "rt-detr":
            assert size is not None
            sizes = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
            inputs.append(sizes)
            asked = graph.node("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
            twice = graph.node("Concat", asked, asked, axis=1)
            shares = graph.constant(corners / np.array([*size, *size], np.float32))
            graph.node("Mul", shares, twice, output="boxes")
        else:
            graph.node("Identity", graph.constant(corners), output="boxes")
    model = helper.make_model(
        helper.make_graph(graph.nodes, "stand-in", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=10,
    )
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())
    return file


def _scores(graph: _Graph, image: str, places: Sequence[Place]) -> str:
    """Means of the first channel, float32 (N, 1)."""
    means: list[str] = []
    for place in places:
        starts = graph.constant(np.array([0, place.top, place.left]))
        ends = graph.constant(np.array([1, place.bottom, place.right]))
        axes = graph.constant(np.array([1, 2, 3]))
        cut = graph.node("Slice", image, starts, ends, axes)
        means.append(graph.node("ReduceMean", cut, axes, keepdims=0))
    together = graph.node("Concat", *means, axis=0)
    return graph.node("Unsqueeze", together, graph.constant(np.array([1])))


def _yolo(
    graph: _Graph,
    form: Literal["yolov5", "yolov8"],
    scores: str,
    corners: NDArray[np.float32],
    one_hot: NDArray[np.float32],
) -> list[onnx.ValueInfoProto]:
    count, classes = one_hot.shape
    boxes = graph.constant(_centred(corners))
    if form == "yolov5":
        rows = graph.node("Concat", boxes, scores, graph.constant(one_hot), axis=1)
        shape = [1, count, 5 + classes]
    else:
        of_classes = graph.node("Mul", scores, graph.constant(one_hot))
        rows = graph.node("Concat", boxes, of_classes, axis=1)
        rows = graph.node("Transpose", rows, perm=[1, 0])
        shape = [1, 4 + classes, count]
    _in_front(graph, rows, output="output0")
    return [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)]


def _detr(
    graph: _Graph, scores: str, corners: NDArray[np.float32], one_hot: NDArray[np.float32]
) -> list[onnx.ValueInfoProto]:
    count, classes = one_hot.shape
    half = graph.node("Sub", scores, graph.constant(np.array(0.5, np.float32)))
    here = graph.node("Mul", half, graph.constant(one_hot * np.float32(_SURE)))
    elsewhere = graph.constant((one_hot - 1.0) * np.float32(_SURE))
    _in_front(graph, graph.node("Add", here, elsewhere), output="pred_logits")
    graph.node("Identity", graph.constant(_centred(corners)[None]), output="pred_boxes")
    return [
        helper.make_tensor_value_info("pred_logits", TensorProto.FLOAT, [1, count, classes]),
        helper.make_tensor_value_info("pred_boxes", TensorProto.FLOAT, [1, count, 4]),
    ]


def _boxes(graph: _Graph, scores: str, numbers: NDArray[np.int64]) -> list[onnx.ValueInfoProto]:
    """All but the boxes themselves, which differ."""
    count = len(numbers)
    graph.node("Identity", graph.constant(numbers), output="labels")
    graph.node("Squeeze", scores, graph.constant(np.array([1])), output="scores")
    return [
        helper.make_tensor_value_info("labels", TensorProto.INT64, [count]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [count, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [count]),
    ]


def _in_front(graph: _Graph, value: str, output: str = "") -> str:
    """A first dimension of one."""
    return graph.node("Unsqueeze", value, graph.constant(np.array([0])), output=output)


def _centred(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Middle and sides of boxes given by their corners."""
    sides = corners[:, 2:] - corners[:, :2]
    return np.concatenate((corners[:, :2] + sides / 2, sides), axis=1)
