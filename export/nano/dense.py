"""Window embeddings of nano-icons' image tower, for pictures of any size.

The tower's embedding of a tile is its head of the mean over 5 x 5 cells, which is the mean of the
head of every cell: any window of cells has an embedding as good as a tile's, at no cost beyond its
mean. What differs is the border: a tile ends in nothing, a window in what is around it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from export.nano.model import ImageTower
from export.towers import DenseTower
from models.manifest import Dense

WINDOW = 4
"""Cells along the side of a window. Chosen on scenes of the demo's icons, with seeds that nothing
is reported of: 3 and fewer lose the rest of things that are larger, 5 (a tile) blur the place of
smaller ones, and 4 save most bytes over both. The sharpness that suits tiles suits these as well.
"""

_CELL = 16
"""Pixels that the network reduces to one cell, along each axis."""


class DenseImageTower(nn.Module):
    """The image tower on a picture that is already at the network's own scale."""

    def __init__(self, tower: ImageTower) -> None:
        super().__init__()
        self.layers, self.head = tower.layers, tower.head

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised planes (N, 3, 16 h, 16 w) -> embeddings (N, h - 3, w - 3, D)."""
        means = functional.avg_pool2d(self.layers(pixels), WINDOW, stride=1)
        return self.head(means.permute(0, 2, 3, 1))


def dense_tower(tower: ImageTower) -> DenseTower:
    """For the export door."""
    facts = Dense(
        patch_size=_CELL,
        native_side=tower.reduction.shape[0],
        window=WINDOW,
        method="means over cells of the last stage",
    )
    return DenseTower(DenseImageTower(tower).eval(), facts)
