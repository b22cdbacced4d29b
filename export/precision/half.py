"""fp16: towers that compute in half precision, for engines that take the types as they stand.

TensorRT builds a strongly typed network from a graph and chooses no types of its own, so every
weight and every operation of a tower is half, with a cast where it begins and where it ends. Around
it normalising the tiles, and scaling embeddings to unit length, stay float32: 255 levels need more
than half's eleven bits once they are scaled, and the sum of squares may pass its largest number.
"""

from __future__ import annotations

import copy
from dataclasses import replace

from torch import Tensor, nn

from export.towers import Towers


class HalfTower(nn.Module):
    """A copy of a tower in half precision that takes and gives what the tower does."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = copy.deepcopy(tower).half()

    def forward(self, batch: Tensor) -> Tensor:
        """Planes in float32, or tokens, to embeddings in float32."""
        inside = batch.half() if batch.is_floating_point() else batch
        embedding: Tensor = self.tower(inside)
        return embedding.float()


def halved(towers: Towers) -> Towers:
    """The same towers in half precision; their own weights are left as they are."""
    return replace(towers, image=HalfTower(towers.image).eval(), text=HalfTower(towers.text).eval())
