"""That a cut checkpoint is the masked model it was cut from, as TinyCLIP's `prune` has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from export.loaders import load_towers  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
    State,
    as_manual,
    save_checkpoint,
    text_state,
    vit_state,
)

pytestmark = pytest.mark.export

WIDTH, HEADS, NEURONS, LAYERS = 128, 2, 20, 3
HIDDEN = torch.arange(WIDTH) % 3 != 1
HEAD_MASKS = torch.tensor([[1, 0], [0, 0], [1, 1]]).bool()
NEURON_MASKS = torch.stack(
    [torch.arange(NEURONS) % 4 != 0, torch.arange(NEURONS) < 7, torch.zeros(NEURONS).bool()]
)
FULL = vit_state(((HEADS, NEURONS),) * LAYERS, width=WIDTH)


def test_a_cut_checkpoint_is_the_masked_model(tmp_path: Path) -> None:
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    towers = load_towers(save_checkpoint(as_manual({**_cut(FULL), **text_state()}), tmp_path))
    with torch.inference_mode():
        got = towers.image(pixels)
    np.testing.assert_allclose(got.numpy(), _masked(FULL, pixels).numpy(), atol=1e-4, rtol=1e-4)


def _masked(full: State, pixels: Tensor) -> Tensor:
    """The full-sized model with everything that is pruned held at zero."""
    state = {name.removeprefix("visual."): value.double() for name, value in full.items()}
    x = functional.conv2d(pixels.double(), state["conv1.weight"], stride=16).flatten(2)
    first = state["class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x.transpose(1, 2)], 1) + state["positional_embedding"]
    x = _norm(state, "ln_pre", x * HIDDEN)
    for layer in range(LAYERS):
        start = f"transformer.resblocks.{layer}"
        y = _norm(state, f"{start}.ln_1", x)
        parts = y @ state[f"{start}.attn.in_proj_weight"].T + state[f"{start}.attn.in_proj_bias"]
        parts = parts.reshape(len(x), -1, 3, HEADS, 64).permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        heard = (heard * HEAD_MASKS[layer][:, None, None]).transpose(1, 2).flatten(2)
        out = heard @ state[f"{start}.attn.out_proj.weight"].T
        out = (out + state[f"{start}.attn.out_proj.bias"]) * HIDDEN
        # An attention without heads is taken out with its bias; an MLP without neurons is not.
        x = x + out * HEAD_MASKS[layer].any()
        y = _norm(state, f"{start}.ln_2", x)
        y = functional.gelu(
            y @ state[f"{start}.mlp.c_fc.weight"].T + state[f"{start}.mlp.c_fc.bias"]
        )
        y = (y * NEURON_MASKS[layer]) @ state[f"{start}.mlp.c_proj.weight"].T
        x = x + (y + state[f"{start}.mlp.c_proj.bias"]) * HIDDEN
    return _norm(state, "ln_post", x[:, 0]) @ (state["proj"] * HIDDEN[:, None])


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    """Over the components that are left; the others stay zero."""
    kept = functional.layer_norm(
        x[..., HIDDEN],
        [int(HIDDEN.sum())],
        state[f"{name}.weight"][HIDDEN],
        state[f"{name}.bias"][HIDDEN],
    )
    out = torch.zeros_like(x)
    out[..., HIDDEN] = kept
    return out


def _cut(full: State) -> State:
    """What `prune` leaves of the full-sized tensors."""
    cut: State = {}
    for name, value in full.items():
        parts = name.split(".resblocks.")
        layer = int(parts[1].split(".")[0]) if len(parts) > 1 else 0
        heads = HEAD_MASKS[layer]
        if heads.any() or not (".attn." in name or ".ln_1." in name):
            cut[name] = _kept(name, value, heads, NEURON_MASKS[layer])
    return cut


def _kept(name: str, value: Tensor, heads: Tensor, neurons: Tensor) -> Tensor:
    components = heads.repeat_interleave(64)
    if "in_proj" in name:
        rows = value[components.repeat(3)]
        return rows[:, HIDDEN] if rows.ndim == 2 else rows
    if "out_proj.weight" in name:
        return value[HIDDEN][:, components]
    if "c_fc" in name:
        return value[neurons][:, HIDDEN] if value.ndim == 2 else value[neurons]
    if "c_proj.weight" in name:
        return value[HIDDEN][:, neurons]
    return value[:, HIDDEN] if "positional_embedding" in name else value[HIDDEN]
