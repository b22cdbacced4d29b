"""Every width of a tower, read off its tensors; nothing is assumed to be alike in two layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from export.errors import ExportError
from export.open_clip.tensors import TowerTensors

HEAD = 64
"""Components of an attention head: the one width that shapes do not tell."""

PATCHES = (16, 32)
"""Sides of a patch in pixels. open_clip's models of other patches have other heads as well."""

_RESNET_REDUCTION = 32
_STAGES = 4


@dataclass(frozen=True)
class BlockShape:
    """One layer of a transformer.

    Attributes:
        heads: Of its attention; `None` if that was pruned away.
        neurons: Of its MLP, where 0 leaves a bias; `None` if that was pruned away.
    """

    heads: int | None
    neurons: int | None


@dataclass(frozen=True)
class TransformerShape:
    """The residual stream's width and the layers beside it."""

    width: int
    blocks: tuple[BlockShape, ...]


@dataclass(frozen=True)
class VitShape:
    """A vision transformer: patches of `patch` px, `grid` x `grid` of them, embedding size D."""

    patch: int
    grid: int
    transformer: TransformerShape
    embedding: int

    @property
    def tile_size(self) -> int:
        """Side of its input in pixels."""
        return self.patch * self.grid


@dataclass(frozen=True)
class BottleneckShape:
    """Channels of a residual block of three convolutions.

    Attributes:
        before: That come in.
        first: Behind the first convolution.
        second: Behind the second.
        after: That go out.
        stride: By which it reduces the side: 2 at the head of each stage but the first.
    """

    before: int
    first: int
    second: int
    after: int
    stride: int

    @property
    def projected(self) -> bool:
        """Whether the shortcut is a convolution too."""
        return self.stride > 1 or self.before != self.after


@dataclass(frozen=True)
class ResNetShape:
    """OpenAI's ResNet: channels of the stem, blocks by stage, `grid` x `grid` places pooled."""

    stem: tuple[int, int, int]
    stages: tuple[tuple[BottleneckShape, ...], ...]
    grid: int
    embedding: int

    @property
    def tile_size(self) -> int:
        """Side of its input in pixels."""
        return _RESNET_REDUCTION * self.grid


@dataclass(frozen=True)
class TextShape:
    """A text tower: token ids, tokens in a row, embedding size D."""

    vocabulary: int
    context: int
    transformer: TransformerShape
    embedding: int


def image_shape(tensors: TowerTensors) -> VitShape | ResNetShape:
    """The shape of an image tower, of whichever kind it is.

    Raises:
        ExportError: The tensors contradict each other, or are of no such model.
    """
    return _resnet_shape(tensors) if tensors.has("layer1.") else _vit_shape(tensors)


def text_shape(tensors: TowerTensors) -> TextShape:
    """The shape of a text tower.

    Raises:
        ExportError: As `image_shape`.
    """
    vocabulary, width = tensors.shape("token_embedding.weight", 2)
    context, _ = tensors.shape("positional_embedding", 2)
    _, embedding = tensors.shape("text_projection", 2)
    return TextShape(vocabulary, context, _transformer_shape(tensors, width), embedding)


def _vit_shape(tensors: TowerTensors) -> VitShape:
    width, _, patch, _ = tensors.shape("conv1.weight", 4)
    if patch not in PATCHES:
        raise ExportError(
            f"patches of {patch} px, but only models of {' or '.join(map(str, PATCHES))} px are "
            f"known to have heads of {HEAD} components",
            file=tensors.file,
            remedy="use a smaller model; one with such patches hardly runs at the edge",
        )
    _, embedding = tensors.shape("proj", 2)
    grid = _grid(tensors, "positional_embedding")
    return VitShape(patch, grid, _transformer_shape(tensors, width), embedding)


def _transformer_shape(tensors: TowerTensors, width: int) -> TransformerShape:
    blocks = "transformer.resblocks."
    count = tensors.count(blocks)
    return TransformerShape(
        width, tuple(_block_shape(tensors, f"{blocks}{number}.") for number in range(count))
    )


def _block_shape(tensors: TowerTensors, start: str) -> BlockShape:
    heads = neurons = None
    if tensors.has(f"{start}attn.") or tensors.has(f"{start}ln_1."):
        rows, _ = tensors.shape(f"{start}attn.in_proj_weight", 2)
        heads = _heads(tensors, f"{start}attn.in_proj_weight", rows, 3 * HEAD)
    if tensors.has(f"{start}mlp.") or tensors.has(f"{start}ln_2."):
        neurons, _ = tensors.shape(f"{start}mlp.c_fc.weight", 2)
    return BlockShape(heads, neurons)


def _resnet_shape(tensors: TowerTensors) -> ResNetShape:
    first, second, before = (tensors.shape(f"conv{number}.weight", 4)[0] for number in (1, 2, 3))
    stem = (first, second, before)
    stages: list[tuple[BottleneckShape, ...]] = []
    for number in range(_STAGES):
        stages.append(_stage_shape(tensors, f"layer{number + 1}.", before, halves=number > 0))
        before = stages[-1][-1].after
    embedding, width = tensors.shape("attnpool.c_proj.weight", 2)
    _heads(tensors, "attnpool.c_proj.weight", width, HEAD)
    grid = _grid(tensors, "attnpool.positional_embedding")
    return ResNetShape(stem, tuple(stages), grid, embedding)


def _stage_shape(
    tensors: TowerTensors, start: str, before: int, *, halves: bool
) -> tuple[BottleneckShape, ...]:
    blocks: list[BottleneckShape] = []
    for number in range(tensors.count(start)):
        first, second, after = (
            tensors.shape(f"{start}{number}.conv{layer}.weight", 4)[0] for layer in (1, 2, 3)
        )
        stride = 2 if halves and number == 0 else 1
        blocks.append(BottleneckShape(before, first, second, after, stride))
        before = after
    return tuple(blocks)


def _heads(tensors: TowerTensors, name: str, size: int, each: int) -> int:
    heads, rest = divmod(size, each)
    if heads == 0 or rest:
        raise tensors.contradiction(
            f"{tensors.prefix}{name} has {size} components in its heads, not a multiple of {each}"
        )
    return heads


def _grid(tensors: TowerTensors, name: str) -> int:
    """The side of the square of places; one more place is that of the class token or the mean."""
    places, _ = tensors.shape(name, 2)
    grid = isqrt(max(0, places - 1))
    if grid == 0 or grid * grid + 1 != places:
        raise tensors.contradiction(
            f"{tensors.prefix}{name} has {places} places, not one more than a square"
        )
    return grid
