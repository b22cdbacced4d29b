"""int8 with scales that each run finds for itself: for CPUs, and without pictures.

ONNX Runtime quantises the weights of linear layers per output channel; activations are quantised as
they come (DynamicQuantizeLinear, MatMulInteger). Convolutions stay float32, for which its CPU has
no such kernel. Per channel, relevance moves by 0.013 on average, per tensor by 0.022 (an untrained
ViT-40M/32), given kernels that do not overflow (`models.backends.ort`).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.graph import finished
from export.precision.static import channel_scales, to_int8
from models.backends.ort import ort


def dynamically_quantised(content: bytes) -> bytes:
    """A float32 graph with 8-bit linear layers, as the content of an `.onnx` file."""
    # Not above: `models.backends.ort` comes first, for it keeps onnxruntime from reporting home.
    import onnxruntime.quantization  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        place = Path(scratch) / "graph.onnx"
        ort.quantization.quantize_dynamic(
            onnx.load_model_from_string(content),
            place,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=ort.quantization.QuantType.QInt8,
        )
        return finished(onnx.load(place))


def with_small_table(content: bytes) -> bytes:
    """A text graph whose table of token embeddings is int8, with a scale per token.

    A token's row is scaled after it was looked up, so the table is never there in float32: 25 MB
    instead of 101 for CLIP's vocabulary. One scale for all would round common tokens, whose rows
    are short, by the steps of the longest row.
    """
    model = onnx.load_model_from_string(content)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    lookup = next(
        node
        for node in graph.node
        if node.op_type == "Gather"
        and node.input[0] in constants
        and node.input[1] not in constants
    )
    table, tokens = lookup.input
    values = numpy_helper.to_array(constants[table])
    scales = channel_scales(values, 0)[:, None]
    steps, scale = f"{table}.int8", f"{table}.scale"
    nodes = [
        helper.make_node("Gather", [steps, tokens], [f"{steps}.rows"]),
        helper.make_node("Cast", [f"{steps}.rows"], [f"{steps}.float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", [scale, tokens], [f"{scale}.rows"]),
        helper.make_node("Mul", [f"{steps}.float", f"{scale}.rows"], [lookup.output[0]]),
    ]
    place = list(graph.node).index(lookup)
    graph.node.remove(lookup)
    for node in reversed(nodes):
        graph.node.insert(place, node)
    graph.initializer.remove(constants[table])
    graph.initializer.append(numpy_helper.from_array(to_int8(values, scales), steps))
    graph.initializer.append(numpy_helper.from_array(scales.astype(np.float32), scale))
    return finished(model)


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep back the advice to fuse the graph first, into operators that only ONNX Runtime reads."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
