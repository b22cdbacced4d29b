"""Looking into ONNX graphs, and running them: as bundles do, and as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.backends.cpu import CpuSession
from models.backends.ort import ort
from models.session import GraphSpec


def constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: np.asarray(numpy_helper.to_array(tensor)) for tensor in graph.initializer}


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every value, by ONNX's own inference."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.output, *graph.value_info)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def run(content: bytes, batch: NDArray[Any]) -> NDArray[np.float32]:
    """As a bundle's session does."""
    graph = onnx.load_model_from_string(content).graph
    size = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    spec = GraphSpec(graph.input[0].name, batch.dtype.type, batch.shape[1:], size)
    return CpuSession(content, spec, threads=1, file=Path("graph.onnx")).encode(batch)


def run_unfused(content: bytes, batch: NDArray[Any]) -> NDArray[np.float32]:
    """Operator by operator, without ONNX Runtime's fusions."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session: Any = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0], np.float32)
