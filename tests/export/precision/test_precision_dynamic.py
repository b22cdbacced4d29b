from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support.graph_reading import constants, run

pytest.importorskip("torch")

from export import parity
from export.agreement import cosines
from export.graphs import Graphs
from export.pictures import TiledPicture
from export.precision.dynamic import dynamically_quantised, with_small_table
from export.towers import Towers

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def dynamic(graphs: Graphs) -> Graphs:
    return Graphs(
        dynamically_quantised(graphs.image), dynamically_quantised(with_small_table(graphs.text))
    )


@pytest.mark.parametrize("name", ["image", "text"])
def test_linear_layers_are_8_bit_by_standard_operators(dynamic: Graphs, name: str) -> None:
    model = onnx.load_model_from_string(getattr(dynamic, name))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    known = constants(model.graph)
    layers = [node for node in model.graph.node if node.op_type == "MatMulInteger"]
    assert len(layers) == 7
    for node in layers:
        assert known[node.input[1]].dtype == np.int8
        assert known[node.input[3]].shape == (known[node.input[1]].shape[1],)
    for node in model.graph.node:
        if node.op_type in {"MatMul", "Gemm"}:
            assert node.input[1] not in known


def test_embeddings_are_close_to_float32(
    dynamic: Graphs, graphs: Graphs, towers: Towers, pictures: list[TiledPicture]
) -> None:
    tiles = pictures[0].tiles
    agreed = cosines(run(graphs.image, tiles), run(dynamic.image, tiles))
    assert agreed.min() > 0.998
    for tokens in parity.random_tokens(towers.facts):
        agreed = cosines(run(graphs.text, tokens), run(dynamic.text, tokens))
        assert agreed.min() > 0.998


def test_the_table_of_tokens_is_8_bit(graphs: Graphs) -> None:
    before = onnx.load_model_from_string(graphs.text).graph
    after = onnx.load_model_from_string(with_small_table(graphs.text)).graph
    (name,) = constants(before).keys() - constants(after).keys()
    table = constants(before)[name]
    assert table.shape == (1000, 32)
    steps, scales = (constants(after)[f"{name}.{part}"] for part in ("int8", "scale"))
    assert (steps.dtype, scales.shape) == (np.int8, (1000, 1))
    np.testing.assert_allclose(steps * scales, table, atol=float(scales.max()) / 2 + 1e-7)


def test_a_long_row_of_the_table_does_not_coarsen_the_others(
    graphs: Graphs, towers: Towers
) -> None:
    model = onnx.load_model_from_string(graphs.text)
    (table,) = (t for t in model.graph.initializer if tuple(t.dims) == (1000, 32))
    values = np.array(numpy_helper.to_array(table))
    values[0] *= 1000
    table.CopyFrom(numpy_helper.from_array(values, table.name))
    content = model.SerializeToString()
    for tokens in parity.random_tokens(towers.facts):
        tokens[tokens == 0] = 1
        agreed = cosines(run(content, tokens), run(with_small_table(content), tokens))
        assert agreed.min() > 0.9999
