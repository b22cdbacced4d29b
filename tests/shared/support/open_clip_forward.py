"""What CLIP computes, straight from a state dict and in float64; shares no code with `export`.

Heads are taken one by one, layer norms and causal masks written out. The ResNet's pooling goes
through torch's own multi-head attention, as OpenAI's does. Names are OpenAI's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]
Function = Callable[[Tensor], Tensor]


def gelu(x: Tensor) -> Tensor:
    """The exact one."""
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's."""
    return x / (1 + torch.exp(-1.702 * x))


def vit(state: State, pixels: Tensor, function: Function) -> Tensor:
    """Unit embeddings (N, D) of normalised pixels (N, 3, S, S)."""
    state = {name: value.double() for name, value in state.items()}
    kernel = state["visual.conv1.weight"]
    width, _, side, _ = kernel.shape
    rows: list[Tensor] = []
    for picture in pixels.double():
        grid = range(picture.shape[1] // side)
        seen = [
            (kernel * picture[:, side * y : side * (y + 1), side * x : side * (x + 1)]).sum(
                (1, 2, 3)
            )
            for y in grid
            for x in grid
        ]
        x = torch.stack([state["visual.class_embedding"], *seen])
        x = _norm(state, "visual.ln_pre", x + state["visual.positional_embedding"])
        assert x.shape[1] == width
        x = _layers(state, "visual.transformer", x, function, causal=False)
        rows.append(_norm(state, "visual.ln_post", x[0]) @ state["visual.proj"])
    return _unit(torch.stack(rows))


def text(state: State, tokens: Tensor, end: int, function: Function) -> Tensor:
    """Unit embeddings (N, D) of token rows (N, L), read at the first end token."""
    state = {name: value.double() for name, value in state.items()}
    rows: list[Tensor] = []
    for row in tokens:
        x = state["token_embedding.weight"][row] + state["positional_embedding"]
        x = _layers(state, "transformer", x, function, causal=True)
        x = _norm(state, "ln_final", x)[row.tolist().index(end)]
        rows.append(x @ state["text_projection"])
    return _unit(torch.stack(rows))


def resnet(state: State, pixels: Tensor) -> Tensor:
    """Unit embeddings (N, D) of normalised pixels (N, 3, S, S)."""
    state = {name.removeprefix("visual."): value.double() for name, value in state.items()}

    def layer(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        kernel = state[f"{conv}.weight"]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, var, weight, bias = (
            state[f"{norm}.{name}"][:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    x = pixels.double()
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = torch.relu(layer(x, f"conv{number}", f"bn{number}", stride))
    x = functional.avg_pool2d(x, 2)
    for stage in (1, 2, 3, 4):
        number = 0
        while f"layer{stage}.{number}.conv1.weight" in state:
            block = f"layer{stage}.{number}"
            halves = stage > 1 and number == 0
            y = torch.relu(layer(x, f"{block}.conv1", f"{block}.bn1"))
            y = torch.relu(layer(y, f"{block}.conv2", f"{block}.bn2"))
            if halves:
                y, x = functional.avg_pool2d(y, 2), functional.avg_pool2d(x, 2)
            if number == 0:
                x = layer(x, f"{block}.downsample.0", f"{block}.downsample.1")
            x = torch.relu(layer(y, f"{block}.conv3", f"{block}.bn3") + x)
            number += 1
    return _unit(_pooled(state, x))


def _pooled(state: State, x: Tensor) -> Tensor:
    width = x.shape[1]
    x = x.flatten(2).permute(2, 0, 1)
    x = torch.cat([x.mean(0, keepdim=True), x]) + state["attnpool.positional_embedding"][:, None]
    part = {name: f"attnpool.{name}_proj" for name in "qkvc"}
    x, _ = functional.multi_head_attention_forward(
        *(x, x, x, width, width // 64),
        in_proj_weight=None,
        in_proj_bias=torch.cat([state[f"{part[name]}.bias"] for name in "qkv"]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=state[f"{part['c']}.weight"],
        out_proj_bias=state[f"{part['c']}.bias"],
        training=False,
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=state[f"{part['q']}.weight"],
        k_proj_weight=state[f"{part['k']}.weight"],
        v_proj_weight=state[f"{part['v']}.weight"],
    )
    return x[0]


def _layers(state: State, prefix: str, x: Tensor, function: Function, *, causal: bool) -> Tensor:
    """One row of tokens (L, W) through all layers, each half of which may be missing."""
    highest = max(
        int(name.split(".resblocks.")[1].split(".")[0]) for name in state if prefix in name
    )
    for number in range(highest + 1):
        start = f"{prefix}.resblocks.{number}"
        if f"{start}.attn.in_proj_weight" in state:
            x = x + _attention(state, start, _norm(state, f"{start}.ln_1", x), causal=causal)
        if f"{start}.mlp.c_fc.weight" in state:
            y = _linear(state, f"{start}.mlp.c_fc", _norm(state, f"{start}.ln_2", x))
            x = x + _linear(state, f"{start}.mlp.c_proj", function(y))
    return x


def _attention(state: State, start: str, x: Tensor, *, causal: bool) -> Tensor:
    weight, bias = state[f"{start}.attn.in_proj_weight"], state[f"{start}.attn.in_proj_bias"]
    out = state[f"{start}.attn.out_proj.weight"]
    inner = len(weight) // 3
    result = state[f"{start}.attn.out_proj.bias"].expand(len(x), -1)
    for head in range(inner // 64):
        query, key, value = (
            x @ weight[rows].T + bias[rows]
            for rows in (slice(p * inner + head * 64, p * inner + head * 64 + 64) for p in range(3))
        )
        scores = query @ key.T / 8
        if causal:
            later = torch.ones(len(x), len(x)).triu(1).bool()
            scores = scores.masked_fill(later, float("-inf"))
        shares = torch.exp(scores - scores.amax(1, keepdim=True))
        shares = shares / shares.sum(1, keepdim=True)
        result = result + shares @ value @ out[:, head * 64 : head * 64 + 64].T
    return result


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scale = torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5)
    return centred / scale * state[f"{name}.weight"] + state[f"{name}.bias"]


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.square().sum(1, keepdim=True).sqrt()
