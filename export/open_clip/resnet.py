"""OpenAI's ResNet: a stem of three convolutions, anti-aliased strides, pooling by attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.open_clip.shapes import HEAD, BottleneckShape, ResNetShape


class FrozenNorm(nn.Module):
    """Batch normalisation by the statistics of training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.register_buffer("running_mean", torch.empty(channels))
        self.register_buffer("running_var", torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-5
        )


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut; the mean over squares of `stride` px does the stride.

    The shortcut's modules are numbered as in the checkpoints, where the mean has the number -1.
    """

    def __init__(self, shape: BottleneckShape) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(shape.before, shape.first, 1, bias=False)
        self.bn1 = FrozenNorm(shape.first)
        self.conv2 = nn.Conv2d(shape.first, shape.second, 3, padding=1, bias=False)
        self.bn2 = FrozenNorm(shape.second)
        self.conv3 = nn.Conv2d(shape.second, shape.after, 1, bias=False)
        self.bn3 = FrozenNorm(shape.after)
        self.stride = shape.stride
        self.downsample = None
        if shape.projected:
            shortcut = nn.Conv2d(shape.before, shape.after, 1, bias=False)
            self.downsample = nn.Sequential(shortcut, FrozenNorm(shape.after))

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H / stride, W / stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self._reduced(functional.relu(self.bn2(self.conv2(y))))
        y = self.bn3(self.conv3(y))
        shortcut = x if self.downsample is None else self.downsample(self._reduced(x))
        return functional.relu(y + shortcut)

    def _reduced(self, x: Tensor) -> Tensor:
        return x if self.stride == 1 else functional.avg_pool2d(x, self.stride)


class AttentionPool(nn.Module):
    """One step of attention by the mean of all places; only the mean's answer is computed."""

    def __init__(self, width: int, grid: int, embedding: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(grid**2 + 1, width))
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embedding)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, grid, grid) -> (N, D)."""
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat((x.mean(1, keepdim=True), x), dim=1) + self.positional_embedding
        query = self._heads(self.q_proj(x[:, :1])) * HEAD**-0.5
        key, value = self._heads(self.k_proj(x)), self._heads(self.v_proj(x))
        heard = (query @ key.transpose(-1, -2)).softmax(-1) @ value
        return self.c_proj(heard.transpose(1, 2).reshape(-1, self.width))

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, width) -> (N, heads, L, 64)."""
        return x.reshape(-1, x.shape[1], self.width // HEAD, HEAD).transpose(1, 2)


class ResNetTower(nn.Module):
    """Normalised pixels (N, 3, S, S) to embeddings (N, D)."""

    def __init__(self, shape: ResNetShape) -> None:
        super().__init__()
        first, second, third = shape.stem
        self.conv1 = nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False)
        self.bn1 = FrozenNorm(first)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1, bias=False)
        self.bn2 = FrozenNorm(second)
        self.conv3 = nn.Conv2d(second, third, 3, padding=1, bias=False)
        self.bn3 = FrozenNorm(third)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*map(Bottleneck, blocks)) for blocks in shape.stages
        )
        self.attnpool = AttentionPool(shape.stages[-1][-1].after, shape.grid, shape.embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """The pooled and projected features."""
        x = functional.relu(self.bn1(self.conv1(pixels)))
        x = functional.relu(self.bn2(self.conv2(x)))
        x = functional.relu(self.bn3(self.conv3(x)))
        x = functional.avg_pool2d(x, 2)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.attnpool(x)
