"""The vision transformer: patches and a class token, whose last state is the embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.open_clip.activation import Activation
from export.open_clip.shapes import VitShape
from export.open_clip.transformer import Transformer


class VitTower(nn.Module):
    """Normalised pixels (N, 3, S, S) to embeddings (N, D)."""

    def __init__(self, shape: VitShape, activation: Activation) -> None:
        super().__init__()
        width = shape.transformer.width
        self.conv1 = nn.Conv2d(3, width, shape.patch, shape.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(shape.grid**2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(shape.transformer, activation)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, shape.embedding))

    def forward(self, pixels: Tensor) -> Tensor:
        """The projected class token."""
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(patches.shape[0], 1, -1)
        x = torch.cat((first, patches), dim=1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj
