"""The dense tower of a vision transformer in open_clip's layout; see `export.vit_dense`."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from export.open_clip.transformer import Attention, Block
from export.open_clip.vit import VitTower
from export.towers import DenseTower
from export.vit_dense import SelfAttending, VitDense
from models.manifest import Dense


class _Values(nn.Module):
    """The values of all heads."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        start = 2 * len(attention.in_proj_weight) // 3
        self.weight = nn.Parameter(attention.in_proj_weight[start:].detach())
        self.bias = nn.Parameter(attention.in_proj_bias[start:].detach())

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, heads * 64)."""
        return functional.linear(x, self.weight, self.bias)


class _Layer(nn.Module):
    """A layer without a mask; one without attention is the same for every token anyway."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        return self.block(x, None)


class _Projection(nn.Module):
    """A product with a matrix that is no layer of its own."""

    def __init__(self, matrix: nn.Parameter) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, D)."""
        return x @ self.matrix


def _last(block: Block) -> nn.Module:
    if block.ln_1 is None or block.attn is None:
        return _Layer(block)
    mlp = None if block.ln_2 is None or block.mlp is None else nn.Sequential(block.ln_2, block.mlp)
    return SelfAttending(nn.Sequential(block.ln_1, _Values(block.attn), block.attn.out_proj), mlp)


def dense_tower(tower: VitTower) -> DenseTower:
    """For the export door; the tower's weights are shared."""
    *layers, last = (block for block in tower.transformer.resblocks if isinstance(block, Block))
    dense = VitDense(
        embedding=tower.conv1,
        class_token=tower.class_embedding,
        positions=tower.positional_embedding,
        before=tower.ln_pre,
        layers=nn.Sequential(*map(_Layer, layers)),
        last=_last(last),
        after=tower.ln_post,
        projection=_Projection(tower.proj),
    )
    patch = tower.conv1.kernel_size[0]
    grid = round((len(tower.positional_embedding) - 1) ** 0.5)
    return DenseTower(
        dense.eval(), Dense(patch_size=patch, native_side=patch * grid, method="MaskCLIP")
    )
