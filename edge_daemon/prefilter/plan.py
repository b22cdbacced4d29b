"""What passes between the prefilter's stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import SettingsError
from edge_daemon.prefilter.allocation import Mapping
from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.prefilter.tiling import TileGrid
from edge_daemon.settings import PrefilterSettings, Region
from models import Recommended


@dataclass(frozen=True)
class Spending:
    """A picture's settings with the bundle's recommendations filled in."""

    mode: str
    sharpness: float
    """lambda of the softmax, unitless."""
    sigma_min: float
    sigma_max: float
    mapping: Mapping
    keep: tuple[Region, ...]
    mask: tuple[Region, ...]

    @classmethod
    def of(cls, settings: PrefilterSettings, recommended: Recommended) -> Spending:
        """Fill in what the settings leave open.

        Raises:
            SettingsError: Only one sigma was set, and it contradicts the bundle's other one; or
                kept regions in reference mode, which has none.
        """
        sigma_min = recommended.sigma_min if settings.sigma_min is None else settings.sigma_min
        sigma_max = recommended.sigma_max if settings.sigma_max is None else settings.sigma_max
        if sigma_min > sigma_max:
            raise SettingsError(
                "sigma_min exceeds sigma_max, one of which is the bundle's recommendation",
                value=f"{sigma_min} px and {sigma_max} px",
                remedy="set both prefilter.sigma_min and prefilter.sigma_max",
            )
        if settings.mode == "reference" and settings.keep:
            raise SettingsError(
                "reference mode has no regions to keep",
                value=f"{len(settings.keep)} regions",
                remedy="use prefilter.mode = 'default', or remove prefilter.keep",
            )
        return cls(
            mode=settings.mode,
            sharpness=recommended.lambda_ if settings.lambda_ is None else settings.lambda_,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            mapping=settings.mapping,
            keep=settings.keep,
            mask=settings.mask,
        )


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
    """uint8 (N, tile_size, tile_size, 3); N is 0 if there is nothing to score."""
    spending: Spending
    timings_ms: dict[str, float]
    """So far: distil, canvas."""


@dataclass(frozen=True)
class Scores:
    """Cosine similarities of one plan's tiles and texts."""

    values: NDArray[np.float32]
    """float32 (texts, tiles), -1..1."""
    encode_ms: float
    """Duration of the encoder calls, shared with the other plans that were scored together."""
