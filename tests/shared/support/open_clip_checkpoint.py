"""Checkpoints in open_clip's layout with random weights: of any widths, under any wrapper.

Needs torch; import it only from tests of `export`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from export.untrained import write_vocabulary

State = dict[str, Tensor]
Layers = Sequence[tuple[int | None, int | None]]
"""Heads and MLP neurons of each layer; `None` where that half was pruned away."""

HEAD = 64
PRUNED_LAYERS: Layers = ((2, 40), (None, 7), (1, 0), (3, None))
"""Uneven everywhere; a layer without attention, one without neurons, one without an MLP."""

VOCABULARY, CONTEXT, EMBEDDING = 1000, 16, 24


class Weights:
    """Random tensors, wide enough that a wrong operator shows; the same for the same seed.

    Without a seed, every tensor is one zero that is repeated, and takes no room.
    """

    def __init__(self, seed: int | None) -> None:
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def of(self, *shape: int, spread: float = 1.0) -> Tensor:
        """Normally distributed, divided by the root of what one output sums up."""
        if self.generator is None:
            return torch.zeros(()).expand(shape)
        values = torch.randn(shape, generator=self.generator)
        return values * spread / max(1, values[0].numel()) ** 0.5

    def around(self, middle: float, *shape: int) -> Tensor:
        """Uniform within 0.3 of the middle."""
        if self.generator is None:
            return torch.zeros(()).expand(shape)
        return middle + 0.6 * torch.rand(shape, generator=self.generator) - 0.3


def vit_state(
    layers: Layers = PRUNED_LAYERS,
    *,
    width: int = 40,
    patch: int = 16,
    grid: int = 3,
    embedding: int = EMBEDDING,
    seed: int | None = 0,
) -> State:
    """An image tower, with OpenAI's names."""
    weights = Weights(seed)
    return {
        "visual.class_embedding": weights.around(0, width),
        "visual.positional_embedding": weights.of(grid**2 + 1, width, spread=2),
        "visual.proj": weights.of(width, embedding),
        "visual.conv1.weight": weights.of(width, 3, patch, patch, spread=2),
        **_norm(weights, "visual.ln_pre", width),
        **_norm(weights, "visual.ln_post", width),
        **_layers(weights, "visual.transformer", layers, width),
    }


def text_state(
    layers: Layers = PRUNED_LAYERS,
    *,
    width: int = 36,
    vocabulary: int = VOCABULARY,
    context: int = CONTEXT,
    embedding: int = EMBEDDING,
    seed: int | None = 1,
) -> State:
    """A text tower, with OpenAI's names."""
    weights = Weights(seed)
    return {
        "positional_embedding": weights.of(context, width, spread=2),
        "text_projection": weights.of(width, embedding),
        "token_embedding.weight": weights.of(vocabulary, width, spread=4),
        **_norm(weights, "ln_final", width),
        **_layers(weights, "transformer", layers, width),
    }


def resnet_state(
    blocks: Sequence[int] = (1, 2, 1, 1),
    *,
    width: int = 8,
    grid: int = 2,
    embedding: int = EMBEDDING,
    seed: int | None = 2,
) -> State:
    """An image tower of OpenAI's ResNet kind; its features have 32 times `width` channels."""
    weights = Weights(seed)
    state: State = {}

    def convolution(name: str, norm: str, before: int, after: int, side: int) -> None:
        state[f"visual.{name}.weight"] = weights.of(after, before, side, side, spread=2**0.5)
        state.update(_norm(weights, f"visual.{norm}", after))
        state[f"visual.{norm}.running_mean"] = weights.around(0, after)
        state[f"visual.{norm}.running_var"] = weights.around(1, after)
        state[f"visual.{norm}.num_batches_tracked"] = torch.tensor(7)

    half = width // 2
    for number, (before, after) in enumerate(((3, half), (half, half), (half, width)), start=1):
        convolution(f"conv{number}", f"bn{number}", before, after, 3)
    before = width
    for stage, count in enumerate(blocks):
        inner = width * 2**stage
        for number in range(count):
            block = f"layer{stage + 1}.{number}"
            convolution(f"{block}.conv1", f"{block}.bn1", before, inner, 1)
            convolution(f"{block}.conv2", f"{block}.bn2", inner, inner, 3)
            convolution(f"{block}.conv3", f"{block}.bn3", inner, 4 * inner, 1)
            if number == 0:
                convolution(f"{block}.downsample.0", f"{block}.downsample.1", before, 4 * inner, 1)
            before = 4 * inner
    pool = "visual.attnpool"
    state[f"{pool}.positional_embedding"] = weights.of(grid**2 + 1, before)
    for name, after in (("q", before), ("k", before), ("v", before), ("c", embedding)):
        state.update(_linear(weights, f"{pool}.{name}_proj", before, after))
    return state


def _layers(weights: Weights, prefix: str, layers: Layers, width: int) -> State:
    state: State = {}
    for number, (heads, neurons) in enumerate(layers):
        start = f"{prefix}.resblocks.{number}"
        if heads is not None:
            inner = heads * HEAD
            state.update(_norm(weights, f"{start}.ln_1", width))
            state[f"{start}.attn.in_proj_weight"] = weights.of(3 * inner, width, spread=1.5)
            state[f"{start}.attn.in_proj_bias"] = weights.around(0, 3 * inner)
            state.update(_linear(weights, f"{start}.attn.out_proj", inner, width))
        if neurons is not None:
            state.update(_norm(weights, f"{start}.ln_2", width))
            state.update(_linear(weights, f"{start}.mlp.c_fc", width, neurons))
            state.update(_linear(weights, f"{start}.mlp.c_proj", neurons, width))
    return state


def _norm(weights: Weights, name: str, width: int) -> State:
    return {f"{name}.weight": weights.around(1, width), f"{name}.bias": weights.around(0, width)}


def _linear(weights: Weights, name: str, before: int, after: int) -> State:
    matrix = weights.of(after, before, spread=2) if after else torch.empty(0, before)
    return {f"{name}.weight": matrix, f"{name}.bias": weights.around(0, after)}


def as_auto(state: State) -> dict[str, object]:
    """As TinyCLIP's pruned models are saved: fused towers, twice-wrapped logit scale, float16."""
    wrapped = _wrapped(state, "image_encoder_without_ddp.", "text_encoder_without_ddp.")
    wrapped["_logit_scale.module.module.logit_scale"] = torch.tensor(3.9)
    half = {name: t.half() if t.is_floating_point() else t for name, t in wrapped.items()}
    return {"epoch": 5, "name": "auto", "state_dict": half}


def as_manual(state: State) -> dict[str, object]:
    """As TinyCLIP's other models are saved."""
    wrapped = _wrapped(state, "_image_encoder.module.", "_text_encoder.module.")
    wrapped["_logit_scale.module.logit_scale"] = torch.tensor(3.9)
    return {"epoch": 5, "iter_in_epoch": 100, "name": "manual", "state_dict": wrapped}


def as_openai(state: State) -> State:
    """The state dict of OpenAI's archives: bare names, and numbers beside them."""
    context, vocabulary = state["positional_embedding"].shape[0], state["token_embedding.weight"]
    numbers = {"input_resolution": 48, "context_length": context, "vocab_size": len(vocabulary)}
    return {
        **state,
        "logit_scale": torch.tensor(4.6),
        **{name: torch.tensor(number) for name, number in numbers.items()},
    }


def _wrapped(state: State, image: str, text: str) -> State:
    return {
        (image if name.startswith("visual.") else text) + name: value
        for name, value in state.items()
    }


def save_checkpoint(content: object, directory: Path, name: str = "model.pt") -> Path:
    """Write a `.pt` file with a tokenizer of `VOCABULARY` tokens beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    write_vocabulary(directory, VOCABULARY)
    torch.save(content, directory / name)
    return directory / name
