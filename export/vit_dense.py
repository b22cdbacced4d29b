"""Patch embeddings of a CLIP vision transformer, for pictures of any size.

The method is MaskCLIP's (Zhou, Loy, Dai: Extract free dense labels from CLIP, ECCV 2022; its
published code keeps residual and MLP): in the last layer every token attends to itself alone, so
that what leaves it is its own value and not a mixture for the class token; what CLIP does to the
class token afterwards is done to each patch. Position embeddings are interpolated (bicubic) from
the grid that was trained on; at that size they are what they were.

CLIP-Surgery (Li et al., 2023) attends between values in several last layers instead, and leaves out
their MLPs. It needs a second stream of tokens and twice the work there, so it is not used here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SelfAttending(nn.Module):
    """A pre-norm layer in which every token attends to itself: attention is values, passed on.

    Args:
        attention: Layer norm, from the stream to the values of all heads, and back to the stream.
        mlp: Layer norm and the other half; `None` if it was pruned away.
    """

    def __init__(self, attention: nn.Module, mlp: nn.Module | None) -> None:
        super().__init__()
        self.attention, self.mlp = attention, mlp

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        x = x + self.attention(x)
        return x if self.mlp is None else x + self.mlp(x)


class VitDense(nn.Module):
    """A vision transformer, taken apart and put together for patches.

    Args:
        embedding: The convolution that turns patches into tokens.
        class_token: float32 (W).
        positions: float32 (1 + g * g, W): of the class token, then of a square grid of patches.
        before: Layer norm of the tokens.
        layers: All layers but the last, (N, L, W) -> (N, L, W) each.
        last: The last one, in which no token hears another; see `SelfAttending`.
        after: Layer norm of what leaves the last layer.
        projection: Into the space of the text tower.
    """

    class_token: Tensor
    class_position: Tensor
    positions: Tensor

    def __init__(
        self,
        *,
        embedding: nn.Module,
        class_token: Tensor,
        positions: Tensor,
        before: nn.Module,
        layers: nn.Module,
        last: nn.Module,
        after: nn.Module,
        projection: nn.Module,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.before, self.layers, self.last, self.after = before, layers, last, after
        self.projection = projection
        side = round((len(positions) - 1) ** 0.5)
        self.register_buffer("class_token", class_token.detach()[None, None])
        self.register_buffer("class_position", positions.detach()[None, :1])
        grid = positions.detach()[1:].reshape(1, side, side, -1)
        self.register_buffer("positions", grid.permute(0, 3, 1, 2).contiguous())

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised planes (N, 3, h * patch, w * patch) -> embeddings (N, h, w, D)."""
        patches = self.embedding(pixels)
        rows, columns = patches.shape[2:]
        places = functional.interpolate(
            self.positions, size=(rows, columns), mode="bicubic", align_corners=False
        )
        patches = (patches + places).flatten(2).transpose(1, 2)
        first = (self.class_token + self.class_position).expand(patches.shape[0], -1, -1)
        x = self.last(self.layers(self.before(torch.cat((first, patches), dim=1))))
        x = self.projection(self.after(x[:, 1:]))
        return x.reshape(x.shape[0], rows, columns, -1)
