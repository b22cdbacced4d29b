"""Reads a nano-icons bundle back into torch, for when its checkpoint is no longer at hand.

A bundle's graphs keep the names of most weights. What the exporter changed is undone where it can
be: matrices that it transposed are found by the bias that follows them. Batch norm cannot be
unfolded from the convolutions, and need not be: it is left to pass its input through and to add the
bias that the convolution had.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from export import parity
from export.errors import ExportError
from export.nano.dense import dense_tower
from export.nano.model import ImageTower, TextTower
from export.towers import TowerFacts, Towers
from models import BundleError, load_bundle
from models.backends.cpu import CpuSession
from models.manifest import Manifest
from models.session import GraphSpec

_WRAPPERS = re.compile(r"^(tower\.)+")
"""What the export door puts around a tower shows in the names of its weights."""

_Tower = TypeVar("_Tower", bound=nn.Module)

_REMEDY = "name the checkpoint that the bundle was made from; only nano-icons can be read back"


def restore_nano(directory: Path) -> Towers:
    """Read a bundle for the export door; its towers are compared with its graphs.

    Raises:
        ExportError: The bundle is damaged, of reduced precision, or no nano-icons bundle.
    """
    try:
        bundle = load_bundle(directory.absolute(), threads=torch.get_num_threads())
    except BundleError as error:
        raise ExportError(error.problem, file=error.file, remedy=error.remedy) from error
    manifest = bundle.manifest
    if manifest.precision != "fp32":
        raise ExportError(
            f"its weights are {manifest.precision}, and rounding cannot be undone",
            file=directory,
            remedy="name the float32 bundle that it was made from, such as models/nano-icons",
        )
    image_file, text_file = directory / "image.onnx", directory / "text.onnx"
    image = _restored(_image_tower, image_file)
    text = _restored(lambda graph: _text_tower(graph, manifest.pad_token_id), text_file)
    tokenizer = (directory / "tokenizer.json").read_text(encoding="utf-8")
    towers = Towers(image.eval(), text.eval(), _facts(manifest, tokenizer), dense_tower(image))
    for tiles in parity.random_tiles(towers.facts):
        _require_equal(
            bundle.encode_tiles(tiles), parity.image_reference(towers)(tiles), image_file
        )
    spec = GraphSpec.text(manifest.context_length, manifest.embedding_size)
    session = CpuSession(text_file.read_bytes(), spec, threads=1, file=text_file)
    for tokens in parity.random_tokens(towers.facts):
        _require_equal(session.encode(tokens), parity.text_reference(towers)(tokens), text_file)
    return towers


class _Graph:
    """The initialisers of a graph: those with a weight's name, and those that lost it."""

    def __init__(self, file: Path) -> None:
        graph = onnx.load(file).graph
        self.nodes = graph.node
        self.constants = {
            tensor.name: torch.tensor(np.asarray(numpy_helper.to_array(tensor)))
            for tensor in graph.initializer
        }
        self.weights = {
            _WRAPPERS.sub("", name): value
            for name, value in self.constants.items()
            if _WRAPPERS.match(name)
        }
        self._name_matrices()

    def added_to(self, value: str) -> str:
        """The other operand of the addition that takes a value; empty if there is none."""
        for node in self.nodes:
            if node.op_type == "Add" and value in node.input:
                return next((other for other in node.input if other != value), "")
        return ""

    def _name_matrices(self) -> None:
        """A linear layer is a product with a transposed matrix, followed by its named bias."""
        for node in self.nodes:
            if node.op_type == "MatMul" and node.input[1] in self.constants:
                bias = _WRAPPERS.sub("", self.added_to(node.output[0]))
                if bias.endswith(".bias"):
                    name = f"{bias.removesuffix('.bias')}.weight"
                    self.weights[name] = self.constants[node.input[1]].T.contiguous()


def _restored(build: Callable[[_Graph], _Tower], file: Path) -> _Tower:
    try:
        return build(_Graph(file))
    # A graph of another model lacks a name, or a weight has another shape than the tower's.
    except (KeyError, ValueError, RuntimeError, StopIteration) as error:
        raise ExportError(
            f"not a graph of nano-icons ({type(error).__name__}: {' '.join(str(error).split())})",
            file=file,
            remedy=_REMEDY,
        ) from error


def _image_tower(graph: _Graph) -> ImageTower:
    weights = graph.weights
    widths, blocks = _stages(weights)
    embedding = weights["head.weight"].shape[0]
    tower = ImageTower(weights["reduction"].shape[0], widths, blocks, embedding)
    named: list[tuple[str, nn.Module]] = list(cast("Any", tower).named_modules())
    convolutions = [name for name, module in named if isinstance(module, nn.Conv2d)]
    # In the order of definition every convolution is followed by its batch norm.
    norms = [(name, module) for name, module in named if isinstance(module, nn.BatchNorm2d)]
    state = tower.state_dict()
    for convolution, (name, norm) in zip(convolutions, norms, strict=True):
        # At its first statistics, mean 0 and variance 1, it divides by the root of 1 + eps.
        state[f"{name}.weight"] = torch.full((norm.num_features,), (1 + norm.eps) ** 0.5)
        state[f"{name}.bias"] = weights[f"{convolution}.weight_bias"]
        state[f"{convolution}.weight"] = weights[f"{convolution}.weight"]
    for name in ("head.weight", "head.bias", "reduction"):
        state[name] = weights[name]
    tower.load_state_dict(state)
    return tower


def _stages(weights: dict[str, Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths and numbers of blocks; a block with a shortcut of its own begins a stage."""
    widths, blocks = [weights["layers.0.weight"].shape[0]], [0]
    firsts = (re.fullmatch(r"layers\.(\d+)\.first\.weight", name) for name in weights)
    for number in sorted(int(first[1]) for first in firsts if first):
        if f"layers.{number}.shortcut.1.weight" in weights:
            widths.append(weights[f"layers.{number}.first.weight"].shape[0])
            blocks.append(0)
        blocks[-1] += 1
    return tuple(widths), tuple(blocks)


def _text_tower(graph: _Graph, pad: int) -> TextTower:
    weights, constants = graph.weights, graph.constants
    (embedded,) = (n.output[0] for n in graph.nodes if n.op_type == "Gather")
    weights["places"] = constants[graph.added_to(embedded)]
    # Attention reshapes to (N, context, 3, heads, width of a head).
    heads = next(int(shape[3]) for shape in constants.values() if shape.shape == (5,))
    vocabulary, width = weights["words.weight"].shape
    tower = TextTower(
        vocabulary,
        weights["places"].shape[0],
        pad,
        width=width,
        layers=sum(name.endswith(".before_mixing.weight") for name in weights),
        heads=heads,
        embedding=weights["head.weight"].shape[0],
    )
    tower.load_state_dict(weights)
    return tower


def _facts(manifest: Manifest, tokenizer_json: str) -> TowerFacts:
    training = dict(manifest.training or {})
    earlier = 1 if manifest.preprocessing.input == "pixels" else manifest.format
    # What is read back a second time keeps the record of the first.
    training.setdefault(
        "re-exported",
        f"`python -m export BUNDLE` read the weights back from the ONNX graphs of a bundle of "
        f"format {earlier}, with batch norm folded into the convolutions",
    )
    return TowerFacts(
        name=manifest.name,
        architecture=manifest.architecture,
        embedding_size=manifest.embedding_size,
        tile_size=manifest.tile_size,
        mean=manifest.mean,
        std=manifest.std,
        resize=manifest.preprocessing.resize,
        context_length=manifest.context_length,
        pad_token_id=manifest.pad_token_id,
        end_token_id=manifest.end_token_id,
        tokenizer_json=tokenizer_json,
        recommended=manifest.recommended,
        licence=manifest.licence,
        source=manifest.source,
        notice=manifest.notice,
        training=training,
        accuracy=manifest.accuracy,
    )


def _require_equal(shipped: NDArray[np.float32], restored: NDArray[np.float64], file: Path) -> None:
    worst = float(np.abs(shipped - restored).max())
    if not worst <= parity.MOST_ABS_ERROR:
        raise ExportError(
            f"the weights read back give other embeddings than the graph (max abs error "
            f"{worst:.2e}, allowed {parity.MOST_ABS_ERROR:.0e})",
            file=file,
            remedy=_REMEDY,
        )
