"""What of a `.pt` file is read, and what is refused."""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch import Tensor, nn  # noqa: E402

from export.errors import ExportError  # noqa: E402
from export.open_clip.layout import read_layout  # noqa: E402
from export.open_clip.load import load_open_clip  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
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

VIT = {**vit_state(), **text_state()}
RESNET = {**resnet_state(), **text_state()}


def _refused(file: Path, words: str) -> ExportError:
    with pytest.raises(ExportError, match=words) as caught:
        load_open_clip(file)
    assert caught.value.file == file
    return caught.value


def _without(state: State, *names: str) -> State:
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.parametrize(
    ("layout", "activation"),
    [(as_auto, "gelu"), (as_manual, "gelu"), (as_openai, "quick_gelu"), (dict, None)],
)
def test_every_wrapper_holds_the_same_tensors(
    tmp_path: Path, layout: Callable[[State], object], activation: str | None
) -> None:
    found = read_layout(save_checkpoint(layout(VIT), tmp_path))
    assert found.activation == activation
    names = {*(f"visual.{name}" for name in found.image.values), *found.text.values}
    assert names == set(VIT)
    values = [*found.image.values.values(), *found.text.values.values()]
    assert {value.dtype for value in values} == {torch.float32}


def test_of_two_wrappings_of_a_tower_the_fused_one_counts(tmp_path: Path) -> None:
    """Training leaves both names in a file; evaluation reads this one."""
    content: Any = as_auto(VIT)
    stale: Any = as_manual({**vit_state(seed=9), **text_state(seed=9)})
    content["state_dict"] = {**stale["state_dict"], **content["state_dict"]}
    del content["state_dict"]["_logit_scale.module.logit_scale"]
    found = read_layout(save_checkpoint(content, tmp_path))
    assert torch.equal(found.image.values["proj"], VIT["visual.proj"].half().float())
    assert torch.equal(found.text.values["text_projection"], VIT["text_projection"].half().float())


def test_a_layout_that_tells_no_activation_needs_one(tmp_path: Path) -> None:
    file = save_checkpoint(VIT, tmp_path)
    error = _refused(file, "GELU or QuickGELU")
    assert "--activation quick_gelu" in error.remedy
    pixels = torch.ones(1, 3, 48, 48)
    with torch.inference_mode():
        exact = load_open_clip(file, activation="gelu").image(pixels)
        quick = load_open_clip(file, activation="quick_gelu").image(pixels)
        openai = load_open_clip(save_checkpoint(as_openai(VIT), tmp_path)).image(pixels)
    assert torch.equal(quick, openai)
    assert not torch.allclose(exact, quick, atol=1e-4)


class Payload:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, zipped: bool) -> None:
    mark = tmp_path / "owned"
    file = tmp_path / "model.pt"
    content = {"state_dict": VIT, "optimizer": Payload(mark)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    error = _refused(file, "Python objects")
    assert ("mkdir" in error.problem) == zipped
    assert not mark.exists()
    torch.load(file, weights_only=False)
    assert mark.exists(), "the payload is harmless, so this test shows nothing"


def test_the_options_that_training_saves_are_no_obstacle(tmp_path: Path) -> None:
    content: Any = as_manual(VIT)
    content["args"] = argparse.Namespace(model="ViT-B-32", nested=argparse.Namespace(lr=1e-4))
    assert read_layout(save_checkpoint(content, tmp_path)).activation == "gelu"


def test_other_objects_are_refused_by_name(tmp_path: Path) -> None:
    content: Any = as_manual(VIT)
    content["args"] = argparse.Namespace(logs=tmp_path, model="ViT-B-32")
    _refused(save_checkpoint(content, tmp_path), r"Python objects \(pathlib[\w.]*PosixPath\)")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_archive_is_refused_with_the_directory_to_use(tmp_path: Path) -> None:
    file = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(file))
    error = _refused(file, "TorchScript archive")
    assert "openai/clip-vit-base-patch32" in error.remedy


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    file = save_checkpoint(as_auto(VIT), tmp_path)
    whole = file.read_bytes()
    for length in (0, 3, 1000, len(whole) // 2, len(whole) - 10):
        file.write_bytes(whole[:length])
        _refused(file, "damaged|no readable checkpoint")


@pytest.mark.parametrize("content", [b"PK\x03\x04 but no archive", b"<html>not found</html>"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    _refused(tmp_path / "model.pt", "damaged|no readable checkpoint")


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    _refused(tmp_path / "model.pt", "damaged|no readable checkpoint")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds a list, not a state dict"),
        ({"state_dict": 3}, "holds a int, not a state dict"),
        ({"epoch": 3}, "epoch is a int, not a tensor"),
        ({}, r"lacks visual\.conv1\.weight"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object, words: str) -> None:
    _refused(save_checkpoint(content, tmp_path), words)


def test_masks_beside_the_tensors_are_refused(tmp_path: Path) -> None:
    content: Any = as_manual(VIT)
    content["state_dict"]["_image_encoder.module.l0_module.hidden_loga"] = torch.zeros(40)
    _refused(save_checkpoint(content, tmp_path), r"pruning masks \(_image_encoder\.l0_module")


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    content: Any = as_manual(VIT)
    content["state_dict"]["_image_encoder.visual.proj"] = torch.zeros(40, 24)
    _refused(save_checkpoint(content, tmp_path), r"holds _image_encoder\.visual\.proj twice")


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    state = {**VIT, "visual.proj": VIT["visual.proj"].to(torch.int8)}
    _refused(save_checkpoint(as_auto(state), tmp_path), r"visual\.proj is torch\.int8")


NEEDED = [
    "visual.conv1.weight",
    "visual.class_embedding",
    "visual.proj",
    "visual.transformer.resblocks.0.ln_1.bias",
    "visual.transformer.resblocks.0.attn.in_proj_weight",
    "visual.transformer.resblocks.0.attn.out_proj.bias",
    "visual.transformer.resblocks.2.mlp.c_proj.bias",
    "transformer.resblocks.3.ln_1.weight",
    "token_embedding.weight",
    "text_projection",
]


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    _refused(
        save_checkpoint(as_auto(_without(VIT, name)), tmp_path), f"lacks {name}".replace(".", r"\.")
    )


RESNET_NEEDED = [
    "visual.conv3.weight",
    "visual.bn2.running_var",
    "visual.layer2.0.conv2.weight",
    "visual.layer3.0.downsample.0.weight",
    "visual.attnpool.k_proj.bias",
]


@pytest.mark.parametrize("name", RESNET_NEEDED)
def test_a_tensor_missing_of_a_resnet_is_named(tmp_path: Path, name: str) -> None:
    file = save_checkpoint(as_manual(_without(RESNET, name)), tmp_path)
    _refused(file, f"lacks {name}".replace(".", r"\."))


def test_a_missing_layer_is_no_pruned_one(tmp_path: Path) -> None:
    gone = [name for name in VIT if name.startswith("visual.transformer.resblocks.1.")]
    file = save_checkpoint(as_auto(_without(VIT, *gone)), tmp_path)
    _refused(file, r"lacks visual\.transformer\.resblocks\.1")
    stage = [name for name in RESNET if name.startswith("visual.layer2.0.")]
    file = save_checkpoint(as_manual(_without(RESNET, *stage)), tmp_path)
    _refused(file, r"lacks visual\.layer2\.0")


@pytest.mark.parametrize(
    "name", ["visual.head.weight", "visual.transformer.resblocks.0.attn.bias_k", "text_bias"]
)
def test_a_tensor_that_nothing_uses_is_named(tmp_path: Path, name: str) -> None:
    file = save_checkpoint(as_auto({**VIT, name: torch.zeros(3)}), tmp_path)
    _refused(file, f"no place for: {name}".replace(".", r"\."))


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("visual.ln_pre.weight", (39,), r"has shape \(39,\).* asks for \(40,\)"),
        ("visual.proj", (40, 23), "23 components, but text embeddings 24"),
        ("visual.proj", (40,), "not one of 2 dimensions"),
        ("visual.conv1.weight", (40, 3, 14, 14), "patches of 14 px"),
        ("visual.conv1.weight", (40, 4, 16, 16), r"asks for \(40, 3, 16, 16\)"),
        ("visual.positional_embedding", (9, 40), "9 places, not one more than a square"),
        ("visual.positional_embedding", (1, 40), "1 places, not one more than a square"),
        ("visual.transformer.resblocks.0.attn.in_proj_weight", (100, 40), "not a multiple of 192"),
        ("visual.transformer.resblocks.0.attn.in_proj_weight", (0, 40), "not a multiple of 192"),
        ("visual.transformer.resblocks.0.attn.out_proj.weight", (40, 64), r"asks for \(40, 128\)"),
        ("visual.transformer.resblocks.1.mlp.c_fc.weight", (8, 40), r"asks for \(8,\)"),
        ("positional_embedding", (16, 35), r"asks for \(16, 36\)"),
        ("transformer.resblocks.1.ln_2.bias", (40,), r"asks for \(36,\)"),
    ],
)
def test_shapes_that_contradict_each_other_are_told(
    tmp_path: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    file = save_checkpoint(as_auto({**VIT, name: torch.zeros(shape)}), tmp_path)
    _refused(file, words)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("visual.conv3.weight", (9, 4, 3, 3), r"bn3\.\w+ has shape \(8,\).* asks for \(9,\)"),
        ("visual.layer1.0.conv1.weight", (8, 7, 1, 1), r"asks for \(8, 8, 1, 1\)"),
        ("visual.attnpool.c_proj.weight", (24, 200), "200 components in its heads"),
        ("visual.attnpool.positional_embedding", (6, 256), "6 places"),
    ],
)
def test_shapes_of_a_resnet_that_contradict_each_other_are_told(
    tmp_path: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    file = save_checkpoint(as_manual({**RESNET, name: torch.zeros(shape)}), tmp_path)
    _refused(file, words)


def test_a_tensor_beside_wrapped_towers_is_named(tmp_path: Path) -> None:
    content: Any = as_auto(VIT)
    content["state_dict"]["_adapter.weight"] = torch.zeros(3)
    _refused(save_checkpoint(content, tmp_path), r"no place for: _adapter\.weight")


def test_what_no_embedding_depends_on_may_stand_in_a_file(tmp_path: Path) -> None:
    extra: dict[str, Tensor] = {"attn_mask": torch.zeros(16, 16), "logit_scale": torch.tensor(1.0)}
    found = read_layout(save_checkpoint({**VIT, **extra}, tmp_path))
    assert set(found.text.values) == set(text_state())
