"""A complete bundle of a few hundred kilobytes that sees colours and nothing else.

The image embedding follows the mean colour of the tile, the text embedding the colour words in
the text, in one space: "the red car" scores a red tile above a grey one, that above a green one.
Words that are no colours hardly count; a text without colour words scores all tiles nearly alike.
The result is the same on every run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from models.manifest import (
    BundleFile,
    Dense,
    FileFacts,
    Manifest,
    Parity,
    Preprocessing,
    Recommended,
    TowerParity,
)

TILE_SIZE = 224
PATCH_SIZE, WINDOW = 16, 2
DENSE = Dense(patch_size=PATCH_SIZE, window=WINDOW, native_side=112, method="mean colours")
"""Facts of the dense graph: what a tile shows is 7 patches wide."""
CONTEXT_LENGTH = 77
EMBEDDING_SIZE = 8
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
NOTICE = "the tiny test bundle knows colours, not things"
OPSET = 18

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "orange": (1.0, 0.5, 0.0),
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
}
WORDS = (
    *("a", "an", "the", "is", "are", "in", "on", "of", "what", "where", "which", "how", "many"),
    *("square", "circle", "sign", "car", "bicycle", "dog", "cat", "house", "tree", "thing"),
)

_START, _END = "<|startoftext|>", "<|endoftext|>"
_CHROMA, _LUMA, _CONSTANT, _OTHER = slice(0, 3), 3, 4, slice(5, 8)
_CONSTANT_WEIGHT = 0.1
_OTHER_WEIGHT = 0.02

_SPREAD = {"mean": 0.9999, "least": 0.999}
AGREEMENT: dict[str, Any] = {
    "pictures": 12,
    "pictures_of": "yard",
    "tiles": 480,
    "prompts": 8,
    "prompts_of": "built-in prompts for photographs",
    "tile_cosine": _SPREAD,
    "text_cosine": _SPREAD,
    "rank": {"mean": 0.99, "least": -0.2},
    "same_best_tile": 0.95,
    "relevance": {"mean": 0.01, "largest": 0.2, "picture": "a.jpg", "prompt": "red car"},
    "tolerance": 0.5,
}
"""What a bundle of reduced precision has in its manifest; for `edit_manifest`."""


def make_tiny_bundle(
    directory: Path,
    *,
    name: str = "tiny-colours",
    notice: str = NOTICE,
    image_input: Literal["tiles", "pixels"] = "tiles",
    dense: bool = False,
) -> Path:
    """Write the bundle into `directory` (made if need be) and return it.

    With `dense` it has a dense graph too, which sees the mean colour of each window.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    contents: dict[BundleFile, bytes] = {
        "tokenizer.json": tokenizer.to_str().encode("utf-8"),
        "image.onnx": _image_graph(image_input).SerializeToString(),
        "text.onnx": _text_graph(tokenizer).SerializeToString(),
    }
    if dense:
        contents["dense.onnx"] = _dense_graph().SerializeToString()
    for file, content in contents.items():
        (directory / file).write_bytes(content)
    exact = TowerParity(max_abs_error=0.0, min_cosine=1.0, samples=1)
    end = tokenizer.encode("").ids[-1]
    manifest = Manifest(
        name=name,
        architecture="mean colour and colour words",
        embedding_size=EMBEDDING_SIZE,
        tile_size=TILE_SIZE,
        mean=MEAN,
        std=STD,
        preprocessing=Preprocessing(resize="area", input=image_input),
        context_length=CONTEXT_LENGTH,
        pad_token_id=end,
        end_token_id=end,
        recommended=Recommended(lambda_=20.0, sigma_min=0.2, sigma_max=3.0),
        opset=OPSET,
        licence="Apache-2.0",
        source="made by the tests",
        notice=notice,
        files={file: FileFacts.of(content) for file, content in contents.items()},
        parity=Parity(image=exact, text=exact, dense=exact if dense else None, torch="none"),
        dense=DENSE if dense else None,
    )
    (directory / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return directory


def edit_manifest(directory: Path, **changes: Any) -> None:
    """Overwrite top-level manifest fields; a value of `...` removes the field."""
    path = directory / "manifest.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is ...:
            del fields[key]
        else:
            fields[key] = value
    path.write_text(json.dumps(fields), encoding="utf-8")


def replace_file(directory: Path, name: str, content: bytes) -> None:
    """Replace a bundle's file and make the manifest agree with its new size and hash."""
    (directory / name).write_bytes(content)
    fields = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    files = {**fields["files"], name: FileFacts.of(content).model_dump()}
    edit_manifest(directory, files=files)


def solid_tiles(*colours: str) -> NDArray[np.uint8]:
    """One tile per colour word, uint8 (N, 224, 224, 3); also knows "grey"."""
    shades = {**COLOURS, "grey": (0.5, 0.5, 0.5)}
    rows = np.asarray([shades[colour] for colour in colours]) * 255
    return np.broadcast_to(
        np.rint(rows).astype(np.uint8)[:, None, None, :], (len(colours), TILE_SIZE, TILE_SIZE, 3)
    )


def make_tokenizer() -> Tokenizer:
    """Whole words for the colours and a few others; anything else is one token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*COLOURS, *WORDS]
    tokens = [*alphabet, *(word for word in words if len(word) > 1), _START, _END]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([_START, _END])  # pyright: ignore[reportUnknownMemberType]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(_START, vocabulary[_START]), (_END, vocabulary[_END])],
    )
    return tokenizer


def _features(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unscaled embeddings (N, 8) of colours (N, 3): hue, lightness around grey, a constant."""
    return np.concatenate([colours, np.ones((len(colours), 1))], axis=1) @ _projection()


def _projection() -> NDArray[np.float64]:
    """(4, 8): from red, green, blue and 1 to the embedding space."""
    matrix = np.zeros((4, EMBEDDING_SIZE))
    matrix[:3, _CHROMA] = np.eye(3) - 1.0 / 3.0
    matrix[:3, _LUMA] = 1.0 / 3.0
    matrix[3, _LUMA] = -0.5
    matrix[3, _CONSTANT] = _CONSTANT_WEIGHT
    return matrix


def _image_graph(input_name: str) -> onnx.ModelProto:
    """Takes `tiles`, or, as in bundles of format 1, normalised `pixels`."""
    projection = _projection()
    # Normalised pixels: undo that inside the projection.
    weights = projection[:3] * np.asarray(STD)[:, None]
    bias = projection[3] + np.asarray(MEAN) @ projection[:3]
    pooling = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["colour"], axis=1),
    ]
    shape: list[int] = [3, TILE_SIZE, TILE_SIZE]
    element = TensorProto.FLOAT
    others: list[onnx.TensorProto] = []
    if input_name == "tiles":
        # The graph's own normalising cancels against what undoes it.
        weights, bias = projection[:3] / 255.0, projection[3]
        pooling = [
            helper.make_node("Cast", ["tiles"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["values", "sides"], ["colour"], keepdims=0),
        ]
        shape, element = [TILE_SIZE, TILE_SIZE, 3], TensorProto.UINT8
        others = [numpy_helper.from_array(np.asarray([1, 2], dtype=np.int64), "sides")]
    nodes = [
        *pooling,
        helper.make_node("Gemm", ["colour", "weights", "bias"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2),
    ]
    graph_input = helper.make_tensor_value_info(input_name, element, ["batch", *shape])
    return _model("image", nodes, graph_input, {"weights": weights, "bias": bias}, others)


def _dense_graph() -> onnx.ModelProto:
    """Takes `canvas`; windows are averaged as planes, and projected as the tiles are."""
    projection = _projection()
    nodes = [
        helper.make_node("Cast", ["canvas"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool",
            ["planes"],
            ["means"],
            kernel_shape=[PATCH_SIZE * WINDOW] * 2,
            strides=[PATCH_SIZE] * 2,
        ),
        helper.make_node("Transpose", ["means"], ["colours"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["colours", "weights"], ["coloured"]),
        helper.make_node("Add", ["coloured", "bias"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["windows"], axis=3, p=2),
    ]
    canvas = helper.make_tensor_value_info(
        "canvas", TensorProto.UINT8, ["batch", "height", "width", 3]
    )
    constants = {"weights": projection[:3] / 255.0, "bias": projection[3]}
    output = helper.make_tensor_value_info(
        "windows", TensorProto.FLOAT, ["batch", "rows", "columns", EMBEDDING_SIZE]
    )
    return _model("dense", nodes, canvas, constants, output=output)


def _text_graph(tokenizer: Tokenizer) -> onnx.ModelProto:
    """The sum of the tokens' vectors; start, end and padding are zero, a bias keeps it off zero."""
    table = np.random.default_rng(7).normal(size=(tokenizer.get_vocab_size(), EMBEDDING_SIZE))
    table[:, : _OTHER.start] = 0.0
    table[:, _OTHER] *= _OTHER_WEIGHT
    vectors = _features(np.asarray(list(COLOURS.values()), dtype=np.float64))
    for word, vector in zip(COLOURS, vectors, strict=True):
        table[tokenizer.token_to_id(word)] = vector
    for special in (_START, _END):
        table[tokenizer.token_to_id(special)] = 0.0
    bias = np.zeros(EMBEDDING_SIZE)
    bias[_CONSTANT] = _CONSTANT_WEIGHT
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["vectors"], axis=0),
        helper.make_node("ReduceSum", ["vectors", "axes"], ["summed"], keepdims=0),
        helper.make_node("Add", ["summed", "bias"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2),
    ]
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", CONTEXT_LENGTH])
    axes = numpy_helper.from_array(np.asarray([1], dtype=np.int64), "axes")
    return _model("text", nodes, tokens, {"table": table, "bias": bias}, [axes])


def _model(
    name: str,
    nodes: list[onnx.NodeProto],
    graph_input: onnx.ValueInfoProto,
    constants: dict[str, NDArray[np.float64]],
    others: list[onnx.TensorProto] | None = None,
    output: onnx.ValueInfoProto | None = None,
) -> onnx.ModelProto:
    initializers = [
        numpy_helper.from_array(value.astype(np.float32), key) for key, value in constants.items()
    ]
    output = output or helper.make_tensor_value_info(
        "embedding", TensorProto.FLOAT, ["batch", EMBEDDING_SIZE]
    )
    graph = helper.make_graph(
        nodes, name, [graph_input], [output], [*initializers, *(others or [])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    return model
