"""Towers of every layout against what an independent forward computes from the same tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
onnxruntime: Any = pytest.importorskip("onnxruntime")

from torch import Tensor, nn  # noqa: E402

from export.clip_facts import OPENAI_MEAN, OPENAI_STD  # noqa: E402
from export.door import export_bundle  # noqa: E402
from export.graph import export_graph  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from models import load_bundle  # noqa: E402
from support import open_clip_forward as independent  # noqa: E402
from support.clip_checkpoint import edit_config, make_checkpoint  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
    CONTEXT,
    PRUNED_LAYERS,
    VOCABULARY,
    State,
    as_auto,
    as_manual,
    as_openai,
    resnet_state,
    save_checkpoint,
    text_state,
    vit_state,
)

pytestmark = pytest.mark.export

END = VOCABULARY - 1
PRUNED = {**vit_state(), **text_state()}
RESNET = {**resnet_state(), **text_state()}
PLAIN_LAYERS = ((2, 512), (2, 512))
PLAIN = {**vit_state(PLAIN_LAYERS, width=128), **text_state(PLAIN_LAYERS, width=128)}


def _pixels(side: int) -> Tensor:
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(5))


def _tokens() -> Tensor:
    """Rows that end at three places; what follows the end is noise with further ends in it."""
    generator = torch.Generator().manual_seed(6)
    tokens = torch.randint(0, END, (3, CONTEXT), generator=generator)
    tokens[:, 12:14] = END
    tokens[0, 1] = tokens[1, 7] = END
    return tokens


def _unit(tower: nn.Module, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        return nn.functional.normalize(tower(batch).double(), dim=1)


def _close(got: Tensor, wanted: Tensor) -> None:
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), atol=3e-6)


def _halved(state: State) -> State:
    return {name: value.half().float() for name, value in state.items()}


@pytest.mark.parametrize("state", [PRUNED, PLAIN], ids=["pruned", "plain"])
@pytest.mark.parametrize(
    ("layout", "stored", "function", "other"),
    [
        (as_auto, _halved, independent.gelu, independent.quick_gelu),
        (as_manual, dict, independent.gelu, independent.quick_gelu),
        (as_openai, dict, independent.quick_gelu, independent.gelu),
    ],
)
def test_both_towers_compute_what_the_tensors_say(
    tmp_path: Path,
    state: State,
    layout: Callable[[State], object],
    stored: Callable[[State], State],
    function: Callable[[Tensor], Tensor],
    other: Callable[[Tensor], Tensor],
) -> None:
    towers = load_towers(save_checkpoint(layout(state), tmp_path))
    pixels, tokens, weights = _pixels(48), _tokens(), stored(state)
    image, text = _unit(towers.image, pixels), _unit(towers.text, tokens)
    _close(image, independent.vit(weights, pixels, function))
    _close(text, independent.text(weights, tokens, END, function))
    # The comparison would notice the other function.
    assert (image - independent.vit(weights, pixels, other)).abs().max() > 1e-4
    assert (text - independent.text(weights, tokens, END, other)).abs().max() > 1e-4


def test_a_resnet_computes_what_its_tensors_say(tmp_path: Path) -> None:
    towers = load_towers(save_checkpoint(as_manual(RESNET), tmp_path))
    pixels = _pixels(64)
    _close(_unit(towers.image, pixels), independent.resnet(RESNET, pixels))
    assert towers.facts.tile_size == 64
    assert towers.facts.architecture == "CLIP ResNet-0M Text-0M"


def test_openais_layout_is_the_same_model_as_hugging_faces(tmp_path: Path) -> None:
    """One model with transformers' own random weights, once in each layout."""
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2}
    directory = make_checkpoint(
        tmp_path / "hf", text=sizes, vision={**sizes, "image_size": 48, "patch_size": 16}
    )
    edit_config(directory, "text_config", eos_token_id=END)
    theirs = load_towers(directory)
    model = transformers.CLIPModel.from_pretrained(directory, local_files_only=True)
    ours = load_towers(save_checkpoint(as_openai(_openai_names(model)), tmp_path / "openai"))
    pixels, tokens = _pixels(48), _tokens()
    _close(_unit(ours.image, pixels), _unit(theirs.image, pixels))
    _close(_unit(ours.text, tokens), _unit(theirs.text, tokens))
    for field in ("embedding_size", "tile_size", "mean", "std", "resize", "context_length"):
        assert getattr(ours.facts, field) == getattr(theirs.facts, field)
    assert json.loads(ours.facts.tokenizer_json) == json.loads(theirs.facts.tokenizer_json)


def _openai_names(model: Any) -> State:
    given = {name: value.detach() for name, value in model.state_dict().items()}
    state: State = {
        "visual.class_embedding": given["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": given["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": given["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": given["visual_projection.weight"].T,
        "token_embedding.weight": given["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": given["text_model.embeddings.position_embedding.weight"],
        "text_projection": given["text_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        state[f"visual.ln_pre.{kind}"] = given[f"vision_model.pre_layrnorm.{kind}"]
        state[f"visual.ln_post.{kind}"] = given[f"vision_model.post_layernorm.{kind}"]
        state[f"ln_final.{kind}"] = given[f"text_model.final_layer_norm.{kind}"]
        for theirs, ours in (("vision_model", "visual.transformer"), ("text_model", "transformer")):
            for number in (0, 1):
                source = f"{theirs}.encoder.layers.{number}"
                target = f"{ours}.resblocks.{number}"
                state[f"{target}.attn.in_proj_{kind}"] = torch.cat(
                    [given[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                )
                for old, new in (
                    ("self_attn.out_proj", "attn.out_proj"),
                    ("layer_norm1", "ln_1"),
                    ("layer_norm2", "ln_2"),
                    ("mlp.fc1", "mlp.c_fc"),
                    ("mlp.fc2", "mlp.c_proj"),
                ):
                    state[f"{target}.{new}.{kind}"] = given[f"{source}.{old}.{kind}"]
    return state


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pruned")
    export_bundle(load_towers(save_checkpoint(as_auto(PRUNED), root)), root / "bundle")
    return root / "bundle"


def test_a_pruned_models_bundle_embeds_tiles_as_its_tensors_say(directory: Path) -> None:
    tiles = np.random.default_rng(3).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    pixels = (tiles / 255.0 - OPENAI_MEAN) / OPENAI_STD
    wanted = independent.vit(
        _halved(PRUNED), torch.as_tensor(pixels).permute(0, 3, 1, 2), independent.gelu
    )
    got = load_bundle(directory, threads=1).encode_tiles(tiles)
    np.testing.assert_allclose(got, wanted.numpy(), atol=3e-6)


def test_a_pruned_models_bundle_embeds_texts_as_its_tensors_say(directory: Path) -> None:
    texts = ["", "a red bicycle", "abc " * 30]
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokens = torch.full((len(texts), CONTEXT), END)
    for row, words in zip(tokens, texts, strict=True):
        ids = tokenizer.encode(words).ids[: CONTEXT - 1]
        row[: len(ids)] = torch.as_tensor(ids)
    wanted = independent.text(_halved(PRUNED), tokens, END, independent.gelu)
    got = load_bundle(directory, threads=1).encode_texts(texts)
    np.testing.assert_allclose(got, wanted.numpy(), atol=3e-6)


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx"])
def test_all_heads_of_a_layer_are_one_product(directory: Path, name: str) -> None:
    graph = onnx.load(directory / name).graph
    operators = [node.op_type for node in graph.node]
    assert operators.count("Softmax") == sum(heads is not None for heads, _ in PRUNED_LAYERS)
    assert not {"If", "Loop", "Scan"} & set(operators)


def test_a_resnets_graph_computes_what_its_tensors_say(tmp_path: Path) -> None:
    towers = load_towers(save_checkpoint(as_manual(RESNET), tmp_path))
    content = export_graph(towers.image, torch.zeros(2, 3, 64, 64), input_name="pixels")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    pixels = _pixels(64)
    got = session.run(["embedding"], {"pixels": pixels.numpy()})[0]
    np.testing.assert_allclose(got, independent.resnet(RESNET, pixels).numpy(), atol=3e-6)
