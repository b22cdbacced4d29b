"""The two towers: a residual CNN for tiles, a small transformer for words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE_SIZE = 224
"""Side of a tile in pixels, the same for every bundle."""

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
"""Normalisation of 0..1 pixels before the image tower."""


def reduction_matrix(source: int, target: int) -> Tensor:
    """Rows that resample a line of `source` pixels to `target` with a triangle filter.

    The filter's half width is one target pixel (`source / target` source pixels), so nothing
    aliases; rows sum to 1. Returns float32 (target, source).
    """
    scale = source / target
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    places = torch.arange(source, dtype=torch.float64) + 0.5
    weights = (1 - (places[None] - centres[:, None]).abs() / scale).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True)).float()


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut; halves the side if `stride` is 2."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(before, after, 1, bias=False),
                nn.BatchNorm2d(after),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H / stride, W / stride)."""
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        return functional.relu(y + self.shortcut(x), inplace=True)


class ImageTower(nn.Module):
    """Tiles to embeddings.

    The 224 px tile is first reduced to `inner` pixels by two constant matrix products, which every
    inference engine runs the same way; training composes its pictures at that size and calls
    `embed_small` directly.

    Args:
        inner: Side in pixels at which the network really looks.
        widths: Channels of the four stages (sides inner/2, /4, /8, /16).
        blocks: Residual blocks of each stage.
        embedding: Size D of the embedding.
    """

    reduction: Tensor

    def __init__(
        self, inner: int, widths: tuple[int, ...], blocks: tuple[int, ...], embedding: int
    ) -> None:
        super().__init__()
        self.register_buffer("reduction", reduction_matrix(TILE_SIZE, inner))
        stem = nn.Conv2d(3, widths[0], 4, 2, 1, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        before = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                layers.append(Residual(before, width, stride))
                before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised tiles (N, 3, 224, 224) -> embeddings (N, D), not yet of unit length."""
        return self.embed_small(self.reduction @ pixels @ self.reduction.T)

    def embed_small(self, pixels: Tensor) -> Tensor:
        """Normalised pictures (N, 3, inner, inner) -> embeddings (N, D), as `forward`."""
        return self.head(self.layers(pixels).mean((2, 3)))


class _Layer(nn.Module):
    """One pre-norm transformer layer; every token attends to every token that is not padding."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.before_mixing = nn.LayerNorm(width)
        self.mixing = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(N, C, W) and a bias (N, 1, 1, C) on the attention -> (N, C, W)."""
        length, width = x.shape[1], x.shape[2]
        parts = self.query_key_value(self.before_attention(x))
        parts = parts.reshape(-1, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        heard = (scores.softmax(-1) @ value).transpose(1, 2).reshape(-1, length, width)
        x = x + self.joined(heard)
        return x + self.mixing(self.before_mixing(x))


class TextTower(nn.Module):
    """Token rows to embeddings: two-way attention, then the mean over the tokens.

    Args:
        vocabulary: Number of token ids.
        context: Length C of a row.
        pad: Id that fills a row; it changes nothing.
        width: Of the layers.
        layers: How many.
        heads: Of each layer's attention.
        embedding: Size D of the embedding.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        pad: int,
        *,
        width: int,
        layers: int,
        heads: int,
        embedding: int,
    ) -> None:
        super().__init__()
        self.pad, self.heads = pad, heads
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(context, width))
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, embedding)
        nn.init.normal_(self.words.weight, std=0.05)

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 (N, C) -> embeddings (N, D), not yet of unit length."""
        real = (tokens != self.pad).to(self.places.dtype)
        bias = (real - 1)[:, None, None, :] * 1e4
        x = self.words(tokens) + self.places[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x) * real[..., None]
        return self.head(x.sum(1) / real.sum(1, keepdim=True))
