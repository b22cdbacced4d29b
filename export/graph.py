"""One torch tower to one self-contained ONNX graph."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from export.errors import ExportError

OPSET = 18
"""Of the exported graphs; the highest that JetPack 6's TensorRT reads in full."""

OUTPUT = "embedding"
_LARGEST_BYTES = 2**31 - 1
# Not an identifier that the exporter could make up for a value inside the graph.
_PROVISIONAL_OUTPUT = "tower.output"


class TileTower(nn.Module):
    """An image tower behind its preprocessing: 8-bit tiles in, as `GraphSpec.image` has them.

    Args:
        tower: Takes normalised planes, float32 (N, 3, S, S); a dense one those of any picture.
        mean: Of pixels scaled to 0..1, in the order red, green, blue.
        std: Likewise.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, tower: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.tower = tower
        middle, deviation = (torch.tensor(v, dtype=torch.float64) for v in (mean, std))
        # (x / 255 - mean) / std as one multiplication and one addition per channel.
        self.register_buffer("scale", (1 / (255 * deviation)).float()[:, None, None])
        self.register_buffer("offset", (-middle / deviation).float()[:, None, None])

    def forward(self, tiles: Tensor) -> Tensor:
        """uint8 (N, H, W, 3) -> the tower's embeddings."""
        # A cast first: TensorRT does nothing else with 8-bit input.
        planes = tiles.float().permute(0, 3, 1, 2)
        return self.tower(planes * self.scale + self.offset)


class UnitTower(nn.Module):
    """A tower whose embeddings are scaled to unit length."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, batch: Tensor) -> Tensor:
        """Float32 (N, D) or (N, h, w, D), each embedding of unit length."""
        embedding: Tensor = self.tower(batch)
        return functional.normalize(embedding, dim=-1)


def export_graph(
    tower: nn.Module,
    example: Tensor,
    *,
    input_name: str,
    output_name: str = OUTPUT,
    dynamic: Mapping[int, Any] = MappingProxyType({}),
) -> bytes:
    """Export a tower with normalised output and a dynamic batch.

    Args:
        tower: In evaluation mode, on the CPU.
        example: An input of two or more rows; a batch of one would be taken for a constant.
        input_name: The graph's input.
        output_name: The graph's output.
        dynamic: Axes of the input that are dynamic too, with a `torch.export.Dim` for each.

    Returns:
        The content of an `.onnx` file: opset 18, standard operators only, weights inside, and no
        trace of the machine that it was made on.

    Raises:
        ExportError: torch cannot export the tower, or the result is not such a graph.
    """
    batch = torch.export.Dim("batch", min=1)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
                UnitTower(tower).eval(),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[input_name],
                output_names=[_PROVISIONAL_OUTPUT],
                dynamic_shapes=({0: batch, **dynamic},),
                external_data=False,
                verbose=False,
            )
    # The exporter's errors are many and share no base class; each means the same to the reader.
    except Exception as error:
        raise ExportError(
            f"torch {torch.__version__} cannot export the tower of {input_name} "
            f"({type(error).__name__}: {str(error).strip().splitlines()[0]})",
            remedy="use a tower free of Python control flow on values, or another torch release",
        ) from error
    if program is None:
        raise ExportError("torch returned no graph", remedy="use torch 2.9 or newer")
    model = program.model_proto
    # torch names inner values after its operators, one of which is called `embedding` too.
    _rename(model.graph, output_name, f"{output_name}.inner")
    _rename(model.graph, _PROVISIONAL_OUTPUT, output_name)
    _cast_first(model.graph)
    return finished(model)


def multiply_adds(tower: nn.Module, batch: Tensor) -> int:
    """Multiplications with an addition that a batch takes, in matrix products and convolutions."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        tower(batch)
    return counter.get_total_flops() // 2


def finished(model: onnx.ModelProto) -> bytes:
    """A graph as bundles have it: checked, stripped of all that only its making needed.

    Returns:
        See `export_graph`.

    Raises:
        ExportError: Operators that are not of the standard's opset 18, or more than 2 GiB.
    """
    input_name = model.graph.input[0].name
    _refuse_foreign_operators(model, input_name)
    _strip(model)
    if model.ByteSize() > _LARGEST_BYTES:
        raise ExportError(
            f"the graph of {input_name} has {model.ByteSize()} bytes, but one ONNX file holds "
            f"{_LARGEST_BYTES}",
            remedy="use a smaller model; one of this size does not run at the edge",
        )
    onnx.checker.check_model(model, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    return model.SerializeToString()


def _refuse_foreign_operators(model: onnx.ModelProto, input_name: str) -> None:
    standard = ("", "ai.onnx")
    foreign = {f"{n.domain}.{n.op_type}" for n in model.graph.node if n.domain not in standard}
    opset = next((o.version for o in model.opset_import if o.domain in standard), None)
    if foreign or model.functions or opset != OPSET:
        raise ExportError(
            f"the graph of {input_name} has opset {opset}, {len(model.functions)} functions and "
            f"the non-standard operators {sorted(foreign)}",
            remedy=f"change the tower so that it exports to standard operators of opset {OPSET}",
        )


def _cast_first(graph: onnx.GraphProto) -> None:
    """Have shapes read behind the cast of 8-bit input, which TensorRT takes through a cast only."""
    given = graph.input[0]
    if given.type.tensor_type.elem_type != onnx.TensorProto.UINT8:
        return
    takers = [node for node in graph.node if given.name in node.input]
    cast = next(node for node in takers if node.op_type == "Cast")
    for node in takers:
        if node.op_type == "Shape":
            node.input[0] = cast.output[0]
        elif node is not cast:
            raise ExportError(
                f"{node.op_type} takes the 8-bit input {given.name} as it is",
                remedy="cast tiles to float before anything else is done with them",
            )
    graph.node.remove(cast)
    graph.node.insert(0, cast)


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new
    for value in (*graph.output, *graph.value_info, *graph.initializer):
        if value.name == old:
            value.name = new


def _strip(model: onnx.ModelProto) -> None:
    """Remove stack traces, which hold this machine's paths, and inferred shapes of inner values."""
    graph = model.graph
    described: list[Any] = [model, graph, *graph.node, *graph.initializer]
    for item in (*described, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    # Consumers infer these themselves, and ONNX Runtime's quantiser stumbles over them.
    del graph.value_info[:]


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep the exporter's warnings about packages that no tower needs from the reader."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
