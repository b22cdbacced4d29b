"""What passes between the prefilter's stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import SettingsError
from edge_daemon.prefilter.allocation import Mapping
from edge_daemon.prefilter.look import Look
from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.prefilter.signature import Signature
from edge_daemon.prefilter.tiling import FEW_TILES, MANY_TILES, TileGrid
from edge_daemon.quantiser import MAX_OFFSET, USUAL_QUANTISER, Quantiser
from edge_daemon.settings import Allocation, PrefilterSettings, Region, ScorerName, SkipRule
from kernels import MAX_SIGMA
from models import Recommended
from models.manifest import Dense


@dataclass(frozen=True)
class Spending:
    """A picture's settings with the bundle's recommendations filled in."""

    mode: str
    scorer: ScorerName
    tile_budget: int
    """Most tiles."""
    overlap: float
    """Least overlap of neighbouring tiles, as a fraction of their side."""
    sharpness: float
    """lambda of the softmax, unitless."""
    sigma_min: float
    sigma_max: float
    mapping: Mapping | Literal["matched"]
    margin: float
    """Blocks around a relevant one that are left alone with it."""
    allocation: Allocation
    """"auto" is decided."""
    share: float
    """The quantiser's part of the work, 0..1; smoothing has the rest."""
    offset_max: float
    """Most coarsening, in quantiser steps."""
    quantiser: Quantiser
    """Of the codec that follows."""
    keep: tuple[Region, ...]
    mask: tuple[Region, ...]
    skip: tuple[SkipRule, ...]
    tiny_pixels: int
    whole_scene_share: float

    def stronger(self, factor: float) -> Spending:
        """The same, with `factor` times the smoothing and coarsening, at most what there is."""
        return replace(
            self,
            sigma_max=min(MAX_SIGMA, self.sigma_max * factor),
            offset_max=min(MAX_OFFSET, self.offset_max * factor),
        )

    @classmethod
    def of(
        cls,
        settings: PrefilterSettings,
        recommended: Recommended,
        dense: Dense | None = None,
        *,
        quantiser: Quantiser = USUAL_QUANTISER,
    ) -> Spending:
        """Fill in what the settings leave open.

        Args:
            settings: As the operator or a frame gave them.
            recommended: The bundle's recommendations.
            dense: The bundle's facts on seeing whole pictures, if it can.
            quantiser: Of the codec that follows, for "auto" and "matched".

        Raises:
            SettingsError: Only one sigma was set, and it contradicts the bundle's other one;
                kept regions, a quantiser map or the matched mapping in reference mode, which has
                none; or the dense scorer in reference mode, or without a bundle for it.
        """
        released = settings.mode == "reference"
        allocation = settings.allocation
        if allocation == "auto":
            allocation = "quantiser" if quantiser.takes_map and not released else "smooth"
        sigma_min = recommended.sigma_min if settings.sigma_min is None else settings.sigma_min
        sigma_max = recommended.sigma_max if settings.sigma_max is None else settings.sigma_max
        if sigma_min > sigma_max:
            raise SettingsError(
                "sigma_min exceeds sigma_max, one of which is the bundle's recommendation",
                value=f"{sigma_min} px and {sigma_max} px",
                remedy="set both prefilter.sigma_min and prefilter.sigma_max",
            )
        if released and allocation != "smooth":
            raise SettingsError(
                "reference mode spends relevance by smoothing only",
                value=allocation,
                remedy="use prefilter.mode = 'default', or prefilter.allocation = 'smooth'",
            )
        if released and settings.mapping == "matched":
            raise SettingsError(
                "reference mode maps relevance to sigma whatever the codec",
                value="matched",
                remedy="use prefilter.mode = 'default', or prefilter.mapping = 'exponential'",
            )
        if released and settings.keep:
            raise SettingsError(
                "reference mode has no regions to keep",
                value=f"{len(settings.keep)} regions",
                remedy="use prefilter.mode = 'default', or remove prefilter.keep",
            )
        share = {"smooth": 0.0, "quantiser": 1.0}.get(allocation, settings.share)
        if settings.scorer == "dense":
            _check_dense(dense, released=released)
        return cls(
            mode=settings.mode,
            scorer=settings.scorer,
            tile_budget=settings.tile_budget or (FEW_TILES if share == 1.0 else MANY_TILES),
            overlap=settings.overlap,
            sharpness=recommended.lambda_ if settings.lambda_ is None else settings.lambda_,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            mapping=settings.mapping or ("exponential" if released else "matched"),
            margin=settings.margin,
            allocation=allocation,
            share=share,
            offset_max=settings.offset_max,
            quantiser=quantiser,
            keep=settings.keep,
            mask=settings.mask,
            skip=settings.skip,
            tiny_pixels=settings.tiny_pixels,
            whole_scene_share=settings.whole_scene_share,
        )


def _check_dense(dense: Dense | None, *, released: bool) -> None:
    if released:
        raise SettingsError(
            "reference mode scores tiles",
            value="dense",
            remedy="use prefilter.mode = 'default', or prefilter.scorer = 'tiles'",
        )
    if dense is None:
        raise SettingsError(
            "the bundle has no dense.onnx, which prefilter.scorer = 'dense' needs",
            value="dense",
            remedy="make a bundle that has it with `python -m export CHECKPOINT --dense -o "
            "BUNDLE`, or set prefilter.scorer = 'tiles'",
        )


@dataclass(frozen=True)
class Watched:
    """A picture that is to be compared with the last of its camera that was sent."""

    signature: Signature
    """Of the whole picture."""
    under: str
    """What else must be the same, in the caller's words."""


@dataclass(frozen=True)
class Plan:
    """One picture, ready for the encoder. Holds its tiles, but not the picture itself."""

    width: int
    """Source pixels."""
    height: int
    """Source pixels."""
    prompts: tuple[Distilled, ...]
    """As given, empty ones included."""
    texts: tuple[str, ...]
    """What is scored: the texts of the prompts that are not empty, each once."""
    grid: TileGrid | None
    """`None` if there is nothing to score."""
    tiles: NDArray[np.uint8]
    """What the encoder sees: uint8 (N, tile_size, tile_size, 3), or with the dense scorer the
    canvas alone, (1, H, W, 3); N is 0 if there is nothing to score."""
    spending: Spending
    timings_ms: dict[str, float]
    """So far: distil, canvas."""
    doubts: tuple[SkipRule, ...] = ()
    """Why filtering may not pay, as far as that is known before scoring."""
    skipped: SkipRule | None = None
    """The doubt for which the operator wants the picture left as it is, if any."""
    camera: str | None = None
    """Whose memory the picture belongs to."""
    look: Look | None = None
    """What the tiles are compared by; `None` if no tile may be reused."""
    watched: Watched | None = None
    """`None` if nobody asks how much changed."""

    def lean(self) -> Plan:
        """The same without its tiles, which nobody needs once they are scored: 150 kB each."""
        return replace(self, tiles=np.empty((0, *self.tiles.shape[1:]), np.uint8))


@dataclass(frozen=True)
class Scores:
    """Cosine similarities of one plan's tiles and texts."""

    values: NDArray[np.float32]
    """float32 (texts, tiles), -1..1."""
    encode_ms: float
    """Duration of the encoder calls, shared with the other plans that were scored together."""
    encoded: int = 0
    """Tiles that the encoder was run for; the embeddings of the others were remembered."""
    changed_share: float | None = None
    """How much of what is relevant changed since the last frame that was sent, 0..1, for the
    report; whoever asks `Prefilter.changed` puts it there."""
    embeddings: NDArray[np.float32] | None = None
    """float32 (tiles, D), rows of unit length, for whoever looks for more in them than the texts;
    `None` if nothing was scored."""

    def lean(self) -> Scores:
        """The same without the embeddings: 2 kB each."""
        return replace(self, embeddings=None)
