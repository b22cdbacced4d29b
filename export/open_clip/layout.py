"""From a `.pt` file to the tensors of the two towers, whatever wraps their names."""

from __future__ import annotations

import pickle
import zipfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from export.errors import ExportError, brief
from export.open_clip.activation import Activation
from export.open_clip.tensors import TowerTensors

_IMAGE = ("image_encoder_without_ddp.", "_image_encoder.")
_TEXT = ("text_encoder_without_ddp.", "_text_encoder.")
"""TinyCLIP's names for the towers. Where a file has both, evaluation reads the first alone."""

_VISUAL = "visual."
_OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")
"""Beside the weights in what OpenAI published, and nowhere else."""

_NOT_WEIGHTS = ("logit_scale", "attn_mask", "num_batches_tracked", *_OPENAI_NUMBERS)
"""Last parts of names that no embedding depends on."""

_HARMLESS: list[Any] = [Namespace]
"""Training saves its options with the weights; a namespace runs nothing when it is read."""

_MASKS = "l0_module"
_AGAIN = "copy or download the checkpoint again"


@dataclass(frozen=True)
class Layout:
    """What a file holds.

    Attributes:
        image: The image tower's tensors, without `visual.`.
        text: The text tower's tensors.
        activation: The MLPs' function if the layout tells it, otherwise `None`.
    """

    image: TowerTensors
    text: TowerTensors
    activation: Activation | None


def read_layout(file: Path) -> Layout:
    """Read a checkpoint without running any code that is in it.

    Raises:
        ExportError: The file is damaged, no state dict, more than tensors, a TorchScript archive,
            or one whose pruning masks are not fused.
    """
    tensors = _plain_names(file, _state_dict(file))
    masked = next((name for name in tensors if _MASKS in name.split(".")), None)
    if masked is not None:
        raise ExportError(
            f"holds pruning masks ({masked}): it was saved before they were fused",
            file=file,
            remedy="use the published checkpoint, or fuse them with TinyCLIP's prune_model",
        )
    wrapped = any(name.startswith((*_IMAGE, *_TEXT)) for name in tensors)
    image, text = _unwrapped(tensors) if wrapped else _bare(tensors)
    activation: Activation | None = "gelu" if wrapped else None
    if all(name in tensors for name in _OPENAI_NUMBERS):
        activation = "quick_gelu"
    return Layout(
        _weights(file, _VISUAL, image),
        _weights(file, "", text),
        activation,
    )


def _state_dict(file: Path) -> dict[str, Any]:
    content = _content(file)
    if isinstance(content, dict) and "state_dict" in content:
        content = cast("dict[str, Any]", content)["state_dict"]
    if not isinstance(content, dict):
        raise ExportError(
            f"holds a {type(content).__name__}, not a state dict",
            file=file,
            remedy="use a checkpoint in open_clip's layout",
        )
    return cast("dict[str, Any]", content)


def _content(file: Path) -> Any:
    try:
        program = _is_torchscript(file)
        with torch.serialization.safe_globals(_HARMLESS):
            content = None if program else torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ExportError(
            f"cannot read it ({error.strerror})", file=file, remedy="name a file you may read"
        ) from error
    except pickle.UnpicklingError as error:
        raise ExportError(
            f"is damaged, or holds Python objects{_named(file)}, which are not loaded since that "
            "could run a stranger's code",
            file=file,
            remedy="use a checkpoint whose state_dict and the rest are plain tensors and numbers",
        ) from error
    # Damage shows as any of a dozen exceptions.
    except Exception as error:
        raise ExportError(
            f"is no readable checkpoint ({type(error).__name__}: {brief(error)})",
            file=file,
            remedy=_AGAIN,
        ) from error
    if program:
        raise ExportError(
            "is a TorchScript archive, a program and not only weights",
            file=file,
            remedy="use the same model as Hugging Face lays it out; OpenAI's ViT-B/32 is "
            "openai/clip-vit-base-patch32 there",
        )
    return content


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(Path(name).name == "constants.pkl" for name in archive.namelist())


def _named(file: Path) -> str:
    """The objects that a file asks for beyond tensors, in brackets; empty if they can't be told."""
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            found = torch.serialization.get_unsafe_globals_in_checkpoint(str(file))
    # It reads the same bytes that could not be read before.
    except Exception:
        return ""
    return f" ({', '.join(sorted(found))})" if found else ""


def _plain_names(file: Path, state: dict[str, Any]) -> dict[str, Tensor]:
    """Names without the `module` that every wrapper of distributed training adds."""
    plain: dict[str, Tensor] = {}
    for name, tensor in state.items():
        short = ".".join(part for part in str(name).split(".") if part != "module")
        if not isinstance(tensor, Tensor):
            raise ExportError(
                f"{name} is a {type(tensor).__name__}, not a tensor", file=file, remedy=_AGAIN
            )
        if short in plain:
            raise ExportError(
                f"holds {short} twice, once as {name}",
                file=file,
                remedy="keep one of them; they cannot both be the model's",
            )
        plain[short] = tensor
    return plain


def _bare(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """OpenAI's names: the image tower's begin with `visual.`, all others are the text tower's."""
    image = {name: tensor for name, tensor in tensors.items() if name.startswith(_VISUAL)}
    text = {name: tensor for name, tensor in tensors.items() if name not in image}
    return {name.removeprefix(_VISUAL): tensor for name, tensor in image.items()}, text


def _unwrapped(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """TinyCLIP's names, without what stands before OpenAI's."""
    image, text = _tower(tensors, _IMAGE), _tower(tensors, _TEXT)
    image = {name.removeprefix(_VISUAL): tensor for name, tensor in image.items()}
    # What is of neither tower has no place in any, and is told there.
    rest = {name: t for name, t in tensors.items() if not name.startswith((*_IMAGE, *_TEXT))}
    return image, {**text, **rest}


def _tower(tensors: dict[str, Tensor], prefixes: tuple[str, str]) -> dict[str, Tensor]:
    """The tensors under the first prefix that occurs, without it."""
    for prefix in prefixes:
        found = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        if found:
            return found
    return {}


def _weights(file: Path, prefix: str, tensors: dict[str, Tensor]) -> TowerTensors:
    """What embeddings depend on, in float32."""
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.split(".")[-1] in _NOT_WEIGHTS:
            continue
        if not tensor.is_floating_point() or tensor.layout is not torch.strided:
            raise ExportError(
                f"{prefix}{name} is {tensor.dtype} ({tensor.layout}), not dense floating point",
                file=file,
                remedy="use the checkpoint before it was quantised or packed",
            )
        weights[name] = tensor.float()
    return TowerTensors(file, prefix, weights)
