from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from support.graph_reading import constants, run_unfused

pytest.importorskip("torch")

from export.agreement import cosines
from export.errors import ExportError
from export.graphs import Graphs
from export.pictures import TiledPicture
from export.precision.calibration import find_ranges
from export.precision.static import (
    channel_scales,
    quantised,
    quantised_inputs,
    to_int8,
)

pytestmark = pytest.mark.export

WEIGHTED = {"MatMul", "Gemm", "Conv"}


@pytest.fixture(scope="module")
def content(graphs: Graphs, pictures: list[TiledPicture]) -> bytes:
    tiles = np.concatenate([picture.tiles for picture in pictures[:4]])
    return quantised(graphs.image, find_ranges(graphs.image, quantised_inputs(graphs.image), tiles))


@pytest.fixture(scope="module")
def model(content: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(content)


def test_only_standard_operators_of_opset_18(model: onnx.ModelProto) -> None:
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}


def test_activations_have_one_scale_and_a_zero_point_of_zero(model: onnx.ModelProto) -> None:
    known = constants(model.graph)
    pairs = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert pairs
    for node in pairs:
        assert known[node.input[1]].shape == ()
        assert known[node.input[1]] > 0
        assert (known[node.input[2]], known[node.input[2]].dtype) == (0, np.int8)
    quantised_once = [node.input[0] for node in pairs]
    assert len(set(quantised_once)) == len(quantised_once)


def test_weights_have_a_scale_per_output_channel(model: onnx.ModelProto) -> None:
    known = constants(model.graph)
    found = [
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in known
    ]
    assert found
    for node in found:
        weight, scales, zeros = (known[name] for name in node.input)
        (axis,) = (attribute.i for attribute in node.attribute)
        assert weight.dtype == zeros.dtype == np.int8
        assert scales.shape == zeros.shape == (weight.shape[axis],)
        assert not zeros.any()
        others = tuple(i for i in range(weight.ndim) if i != axis)
        np.testing.assert_array_equal(np.abs(weight.astype(np.int16)).max(axis=others), 127)


def test_all_layers_but_the_ends_take_dequantised_values(model: onnx.ModelProto) -> None:
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    known = constants(model.graph)
    kinds: list[str] = []
    for node in model.graph.node:
        if node.op_type in WEIGHTED:
            kinds.append(" ".join(made_by.get(name, "constant") for name in node.input[:2]))
            for bias in node.input[2:]:
                assert known[bias].dtype == np.float32
    ends, inner = (kinds[0], kinds[-1]), kinds[1:-1]
    assert all(kind.endswith("constant") for kind in ends)
    # The two products of attention multiply activations with each other.
    assert inner.count("DequantizeLinear DequantizeLinear") == len(inner) - 2 == 6


def test_embeddings_of_other_pictures_are_close_to_float32(
    content: bytes, graphs: Graphs, pictures: list[TiledPicture]
) -> None:
    tiles = np.concatenate([picture.tiles for picture in pictures[4:]])
    agreed = cosines(run_unfused(graphs.image, tiles), run_unfused(content, tiles))
    assert agreed.mean() > 0.999
    assert agreed.min() > 0.995


def test_scales_that_no_picture_gave_are_worse(
    content: bytes, graphs: Graphs, pictures: list[TiledPicture]
) -> None:
    """Calibrated on one flat colour, the graph errs twice as much."""
    tiles = np.concatenate([picture.tiles for picture in pictures[4:]])
    flat = np.full((8, *tiles.shape[1:]), 128, np.uint8)
    blind = quantised(graphs.image, find_ranges(graphs.image, quantised_inputs(graphs.image), flat))
    exact = run_unfused(graphs.image, tiles)
    error, error_blind = (
        1 - cosines(exact, run_unfused(graph, tiles)).mean() for graph in (content, blind)
    )
    assert error_blind > 1.5 * error


def test_every_kind_of_layer_is_quantised_along_its_output_channels() -> None:
    """By hand: each output takes one input, so whole numbers pass 8 bits without loss."""
    rng = np.random.default_rng(0)

    def picks(outputs: int, inputs: int) -> NDArray[np.float32]:
        return np.eye(inputs, dtype=np.float32)[rng.integers(inputs, size=outputs)]

    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["a"], name="1"),
        helper.make_node("Gemm", ["a", "plain"], ["b"], name="2"),
        helper.make_node("Gemm", ["b", "transposed"], ["c"], name="3", transB=1),
        helper.make_node("MatMul", ["c", "product"], ["d"], name="4"),
        helper.make_node("Reshape", ["d", "shape"], ["e"], name="5"),
        helper.make_node("Conv", ["e", "kernel"], ["f"], name="6"),
        helper.make_node("Flatten", ["f"], ["g"], name="7"),
        helper.make_node("MatMul", ["g", "last"], ["embedding"], name="8"),
    ]
    weights: dict[str, NDArray[Any]] = {
        "first": picks(5, 4).T,
        "plain": picks(6, 5).T,
        "transposed": picks(7, 6),
        "product": picks(8, 7).T,
        "shape": np.array([-1, 2, 2, 2]),
        "kernel": picks(3, 2)[:, :, None, None],
        "last": picks(2, 12).T,
    }
    kind: Any = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", kind, ["N", 4])],
        [helper.make_tensor_value_info("embedding", kind, ["N", 2])],
        [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    content = model.SerializeToString()
    assert quantised_inputs(content) == ["a", "b", "c", "e"]
    found = quantised(content, dict.fromkeys("abce", 127.0))
    axes = {
        node.input[0]: node.attribute[0].i
        for node in onnx.load_model_from_string(found).graph.node
        if node.op_type == "DequantizeLinear" and node.attribute
    }
    assert axes == {"plain.int8": 1, "transposed.int8": 0, "product.int8": 1, "kernel.int8": 0}
    x = rng.integers(-127, 128, size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(run_unfused(found, x), run_unfused(content, x), atol=1e-3)
    assert np.abs(run_unfused(content, x)).max() > 20


def test_a_graph_of_ends_only_is_refused() -> None:
    kind: Any = TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["embedding"], name="only")],
        "one layer",
        [helper.make_tensor_value_info("x", kind, ["N", 1])],
        [helper.make_tensor_value_info("embedding", kind, ["N", 1])],
        [numpy_helper.from_array(np.ones((1, 1), np.float32), "w")],
    )
    with pytest.raises(ExportError, match=r"graph of x has no layers.*fp32"):
        quantised_inputs(helper.make_model(graph).SerializeToString())


def test_scales_and_steps_by_hand() -> None:
    weights = np.array([[1.27, -0.5], [0.0, 0.0]], np.float32)
    scales = channel_scales(weights, 0)
    np.testing.assert_allclose(scales, [0.01, 1.0])
    np.testing.assert_array_equal(to_int8(weights, scales[:, None]), [[127, -50], [0, 0]])
    np.testing.assert_allclose(channel_scales(weights, 1), [0.01, 0.5 / 127])
    beyond = np.array([-9.0, 9.0], np.float32)
    np.testing.assert_array_equal(to_int8(beyond, np.array([0.01], np.float32)), [-127, 127])
