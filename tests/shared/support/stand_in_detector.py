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
    sizes = corners[:, 2:] - corners[:, :2]
    centred = np.concatenate((corners[:, :2] + sizes / 2, sizes), axis=1)
    one_hot = np.eye(classes, dtype=np.float32)[[place.number for place in places]]
    count = len(places)
    if form in ("yolov5", "yolov8"):
        columns = [graph.constant(centred)]
        if form == "yolov5":
            columns += [scores, graph.constant(one_hot)]
        else:
            columns += [graph.node("Mul", scores, graph.constant(one_hot))]
        rows = graph.node("Concat", *columns, axis=1)
        if form == "yolov8":
            rows = graph.node("Transpose", rows, perm=[1, 0])
        graph.node("Unsqueeze", rows, graph.constant(np.array([0])), output="output0")
        across = [4 + classes, count] if form == "yolov8" else [count, 5 + classes]
        outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, *across])]
    elif form == "detr":
        assert size is not None
        shares = (centred / np.array([*size, *size]))[None].astype(np.float32)
        half = graph.node("Sub", scores, graph.constant(np.array(0.5, np.float32)))
        surer = graph.node("Mul", half, graph.constant(one_hot * _SURE))
        elsewhere = graph.constant((one_hot - 1.0) * np.float32(_SURE))
        logits = graph.node("Add", surer, elsewhere)
        graph.node("Identity", graph.constant(shares), output="pred_boxes")
        graph.node("Unsqueeze", logits, graph.constant(np.array([0])), output="pred_logits")
        outputs = [
            helper.make_tensor_value_info("pred_logits", TensorProto.FLOAT, [1, count, classes]),
            helper.make_tensor_value_info("pred_boxes", TensorProto.FLOAT, [1, count, 4]),
        ]
    else:
        labels = np.array([place.number for place in places])
        graph.node("Identity", graph.constant(labels), output="labels")
        graph.node("Flatten", scores, output="flat", axis=0)
        graph.node("Reshape", "flat", graph.constant(np.array([count])), output="scores")
        if form == "rt-detr":
            assert size is not None
            inputs.append(
                helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
            )
            asked = graph.node("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
            twice = graph.node("Concat", asked, asked, axis=1)
            shares = graph.constant((corners / np.array([*size, *size])).astype(np.float32))
            graph.node("Mul", shares, twice, output="boxes")
        else:
            graph.node("Identity", graph.constant(corners), output="boxes")
        outputs = [
            helper.make_tensor_value_info("labels", TensorProto.INT64, [count]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [count, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [count]),
        ]
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
        cut = graph.node("Slice", image, starts, ends, graph.constant(np.array([1, 2, 3])))
        axes = graph.constant(np.array([1, 2, 3]))
        means.append(graph.node("ReduceMean", cut, axes, keepdims=0))
    return graph.node(
        "Unsqueeze",
        graph.node("Concat", *means, axis=0),
        graph.constant(np.array([1])),
    )
