from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.graph_reading import run

WIDTH = 32


def _tensor(name: str, kind: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["N", WIDTH])


def _graph(nodes: list[onnx.NodeProto], **constants: Any) -> bytes:
    cast = helper.make_node("Cast", ["tokens"], ["x"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [cast, *nodes],
        "eight bits",
        [_tensor("tokens", TensorProto.INT64)],
        [_tensor("embedding", TensorProto.FLOAT)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _fixed(weights: Any) -> bytes:
    node = helper.make_node
    return _graph(
        [
            node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
            node("DequantizeLinear", ["q", "one", "zero"], ["dq"]),
            node("DequantizeLinear", ["w", "ones", "zeros"], ["dw"], axis=1),
            node("MatMul", ["dq", "dw"], ["embedding"]),
        ],
        w=weights,
        one=np.float32(1),
        zero=np.int8(0),
        ones=np.ones(WIDTH, np.float32),
        zeros=np.zeros(WIDTH, np.int8),
    )


def _dynamic(weights: Any) -> bytes:
    node = helper.make_node
    return _graph(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            node("MatMulInteger", ["q", "w", "zero", "zeros"], ["product"]),
            node("Cast", ["product"], ["float"], to=TensorProto.FLOAT),
            node("Mul", ["scale", "ones"], ["scales"]),
            node("Mul", ["float", "scales"], ["embedding"]),
        ],
        w=weights,
        ones=np.ones(WIDTH, np.float32),
        zeros=np.zeros(WIDTH, np.int8),
    )


@pytest.mark.parametrize("make", [_fixed, _dynamic])
def test_large_products_do_not_overflow(make: Any) -> None:
    """Of which two do not fit into 16 bits, where kernels for CPUs without VNNI add them up."""
    weights = np.full((WIDTH, WIDTH), 127, np.int8)
    batch = np.full((3, WIDTH), 127)
    np.testing.assert_allclose(run(make(weights), batch), WIDTH * 127 * 127, rtol=1e-3)
