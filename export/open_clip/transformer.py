"""CLIP's transformer, in which every layer may have heads and neurons of its own number.

The modules' names are open_clip's, so that a state dict fits. Attention is three matrix products
and a softmax over all heads at once, which any inference engine has fast kernels for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.open_clip.activation import Activation
from export.open_clip.shapes import HEAD, BlockShape, TransformerShape


class Attention(nn.Module):
    """Self-attention with `heads` heads of 64 components beside a stream of any width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * heads * HEAD, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * heads * HEAD))
        self.out_proj = nn.Linear(heads * HEAD, width)
        self.heads = heads

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(N, L, W), and what is added to the scores (L, L) -> (N, L, W)."""
        length = x.shape[1]
        parts = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        parts = parts.reshape(-1, length, 3, self.heads, HEAD)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (query * HEAD**-0.5) @ key.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        heard = (scores.softmax(-1) @ value).transpose(1, 2)
        return self.out_proj(heard.reshape(-1, length, self.heads * HEAD))


class Mlp(nn.Module):
    """Two linear layers; without neurons between them, the bias of the second is all that is left.

    A product over no neurons is a bias to torch, but not to every inference engine.
    """

    def __init__(self, width: int, neurons: int, activation: Activation) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, neurons)
        self.c_proj = nn.Linear(neurons, width)
        self.neurons = neurons
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W), or (W) for all places alike."""
        if self.neurons == 0:
            return self.c_proj.bias
        x = self.c_fc(x)
        x = functional.gelu(x) if self.activation == "gelu" else x * torch.sigmoid(1.702 * x)
        return self.c_proj(x)


class Block(nn.Module):
    """A pre-norm layer, of which either half may have been pruned away."""

    def __init__(self, width: int, shape: BlockShape, activation: Activation) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = None, None, None, None
        if shape.heads is not None:
            self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, shape.heads)
        if shape.neurons is not None:
            self.ln_2, self.mlp = nn.LayerNorm(width), Mlp(width, shape.neurons, activation)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        if self.ln_1 is not None and self.attn is not None:
            x = x + self.attn(self.ln_1(x), mask)
        if self.ln_2 is not None and self.mlp is not None:
            x = x + self.mlp(self.ln_2(x))
        return x


class Transformer(nn.Module):
    """The layers one after another."""

    def __init__(self, shape: TransformerShape, activation: Activation) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            Block(shape.width, block, activation) for block in shape.blocks
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, L, W), and what is added to the attention's scores (L, L) -> (N, L, W)."""
        for block in self.resblocks:
            x = block(x, mask)
        return x
