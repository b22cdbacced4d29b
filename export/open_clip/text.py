"""The text transformer: causal, read at the end token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.open_clip.activation import Activation
from export.open_clip.shapes import TextShape
from export.open_clip.transformer import Transformer

_NEVER = -3e4
"""Added to the score of a later token: its weight is exactly 0, and half precision can hold it."""


class TextTower(nn.Module):
    """Token rows (N, L) to embeddings (N, D).

    The end token has the highest id, so that is where the first highest id of a row stands.
    Attention is causal: nothing behind that place can change the embedding.
    """

    later: Tensor

    def __init__(self, shape: TextShape, activation: Activation) -> None:
        super().__init__()
        width = shape.transformer.width
        self.token_embedding = nn.Embedding(shape.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(shape.context, width))
        self.transformer = Transformer(shape.transformer, activation)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, shape.embedding))
        # No weight: it is here in full even while the weights are still without memory.
        later = torch.full((shape.context, shape.context), _NEVER, device="cpu").triu(1)
        self.register_buffer("later", later, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """The projected end token."""
        x = self.token_embedding(tokens) + self.positional_embedding
        x = self.transformer(x, self.later)
        # Ids fit 32 bits; not every inference engine compares wider ones.
        end = tokens.to(torch.int32).argmax(dim=-1)
        x = x[torch.arange(x.shape[0]), end]
        return self.ln_final(x) @ self.text_projection
