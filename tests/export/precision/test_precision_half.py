from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from support.graph_reading import run_unfused, types

torch = pytest.importorskip("torch")

from export import parity  # noqa: E402
from export.agreement import cosines  # noqa: E402
from export.graph import export_graph  # noqa: E402
from export.graphs import Graphs, export_graphs  # noqa: E402
from export.nano.model import TextTower  # noqa: E402
from export.precision.half import HalfTower, halved  # noqa: E402
from export.towers import Towers  # noqa: E402

pytestmark = pytest.mark.export

HEAVY = {"MatMul", "Gemm", "Conv", "LayerNormalization", "Softmax", "Sigmoid"}


@pytest.fixture(scope="module")
def half(towers: Towers) -> Graphs:
    return export_graphs(halved(towers))


def _assert_strongly_typed(content: bytes) -> None:
    """All real work in half, and no operator whose operands differ."""
    model = onnx.load_model_from_string(content)
    typed = types(model)
    heavy = [node for node in model.graph.node if node.op_type in HEAVY]
    assert {"MatMul", "LayerNormalization"} <= {node.op_type for node in heavy}
    for node in heavy:
        assert {typed[name] for name in node.input} == {TensorProto.FLOAT16}, node.op_type
    for node in model.graph.node:
        if node.op_type in {"Add", "Sub", "Mul", "Div", "Where"}:
            operands = node.input[1:] if node.op_type == "Where" else node.input
            assert len({typed[name] for name in operands}) == 1, node
    assert typed["embedding"] == TensorProto.FLOAT
    weights = {t.data_type for t in model.graph.initializer if np.prod(t.dims) > 3}
    assert weights & {TensorProto.FLOAT, TensorProto.FLOAT16} == {TensorProto.FLOAT16}


def test_both_graphs_are_strongly_typed(half: Graphs) -> None:
    _assert_strongly_typed(half.image)
    _assert_strongly_typed(half.text)


def test_normalising_and_unit_length_stay_float32(half: Graphs) -> None:
    model = onnx.load_model_from_string(half.image)
    typed = types(model)
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert [(typed[c.input[0]], typed[c.output[0]]) for c in casts] == [
        (TensorProto.UINT8, TensorProto.FLOAT),
        (TensorProto.FLOAT, TensorProto.FLOAT16),
        (TensorProto.FLOAT16, TensorProto.FLOAT),
    ]
    (norm,) = (node for node in model.graph.node if node.op_type == "ReduceL2")
    assert typed[norm.input[0]] == TensorProto.FLOAT


def test_nanos_text_tower_is_strongly_typed_too() -> None:
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    tower = TextTower(50, 12, 0, width=16, layers=1, heads=2, embedding=8).eval()
    tokens = torch.tensor([[1, 7, 9, 2] + [0] * 8, [1, 2] + [0] * 10])
    content = export_graph(HalfTower(tower).eval(), tokens, input_name="tokens")
    _assert_strongly_typed(content)
    with torch.inference_mode():
        wanted = tower(tokens).numpy()
    assert cosines(wanted, run_unfused(content, tokens.numpy())).min() > 0.9999


def test_embeddings_are_close_to_float32(half: Graphs, graphs: Graphs, towers: Towers) -> None:
    for tiles in parity.random_tiles(towers.facts):
        agreed = cosines(run_unfused(graphs.image, tiles), run_unfused(half.image, tiles))
        assert agreed.min() > 0.9999
    for tokens in parity.random_tokens(towers.facts):
        agreed = cosines(run_unfused(graphs.text, tokens), run_unfused(half.text, tokens))
        assert agreed.min() > 0.9999


def test_the_towers_themselves_stay_as_they_are(towers: Towers) -> None:
    halved(towers)
    for tower in (towers.image, towers.text):
        assert {weight.dtype for weight in tower.parameters()} == {torch.float32}


def test_graphs_are_half_as_large(half: Graphs, graphs: Graphs) -> None:
    assert len(half.text) < 0.6 * len(graphs.text)
