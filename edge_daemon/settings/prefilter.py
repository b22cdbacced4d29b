"""How prompts are read, and how relevance is found and spent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_daemon.settings.strict import Fraction, Strict

Allocation = Literal["smooth", "quantiser", "both", "auto"]
ScorerName = Literal["tiles", "dense"]
SkipRule = Literal["tiny", "whole-scene", "idle-link"]


class Region(Strict):
    """A rectangle in fractions of the picture's width and height, origin at the top left."""

    x: Fraction = Field(description="left edge, as a fraction of the width")
    y: Fraction = Field(description="top edge, as a fraction of the height")
    width: Annotated[float, Field(gt=0.0, le=1.0)] = Field(description="fraction of the width")
    height: Annotated[float, Field(gt=0.0, le=1.0)] = Field(description="fraction of the height")


class PromptSettings(Strict):
    """How prompts are distilled."""

    tagger: str = Field(
        default="embedded",
        pattern=r"^(embedded|spacy:[A-Za-z0-9_.\-]+)$",
        description="'embedded' (no downloads) or 'spacy:NAME' for an installed spaCy pipeline",
    )
    max_bytes: int = Field(
        default=16_384,
        ge=1,
        le=1_000_000,
        description="longest prompt accepted, in UTF-8 bytes",
    )


class PrefilterSettings(Strict):
    """How relevance is found and spent. `None` means the bundle's recommendation."""

    mode: Literal["default", "reference"] = Field(
        default="default",
        description="'default' is ours; 'reference' reproduces the published behaviour",
    )
    scorer: ScorerName = Field(
        default="tiles",
        description="'tiles' shows the encoder tile by tile; 'dense' (research, default mode "
        "only) the whole picture in one pass, with a bundle exported with --dense",
    )
    lambda_: float | None = Field(
        default=None,
        gt=0.0,
        le=1000.0,
        alias="lambda",
        description="softmax sharpness, unitless",
    )
    sigma_min: float | None = Field(
        default=None,
        gt=0.0,
        le=64.0,
        description="least smoothing, sigma in source pixels",
    )
    sigma_max: float | None = Field(
        default=None,
        gt=0.0,
        le=64.0,
        description="most smoothing, sigma in source pixels",
    )
    mapping: Literal["matched", "exponential", "linear", "inverse"] | None = Field(
        default=None,
        description="how relevance becomes sigma; 'matched': smooth away what the codec, coarser "
        "by offset_max steps, would not have kept; unset: 'matched', and 'exponential' as "
        "published in reference mode",
    )
    margin: float = Field(
        default=0.15,
        ge=0.0,
        le=0.45,
        description="how far around a relevant block the picture is left alone, in blocks; from "
        "there it falls off up to half a block (default mode only)",
    )
    allocation: Allocation = Field(
        default="auto",
        description="how relevance is spent: 'smooth' softens pixels and works with every codec, "
        "'quantiser' coarsens the codec's own quantiser (and softens where its scale ends, if the "
        "mapping is 'matched'), 'both' divides the work, 'auto' takes the quantiser where the "
        "codec can (default mode only, but for 'smooth')",
    )
    share: Fraction = Field(
        default=0.5, description="with 'both': the quantiser's part, the rest is smoothing's"
    )
    offset_max: float = Field(
        default=12.0,
        ge=0.0,
        le=51.0,
        description="most coarsening, in quantiser steps of which six double the step size",
    )
    tile_budget: int | None = Field(
        default=None,
        ge=4,
        le=512,
        description="most tiles that one picture is cut into (with 'dense' they set its scale); "
        "unset: 24 where all relevance is spent on the quantiser, 40 where pixels are softened",
    )
    overlap: float = Field(
        default=0.0,
        ge=0.0,
        le=0.75,
        description="least overlap of neighbouring tiles, as a fraction of a tile's side (default "
        "mode only)",
    )
    keep: tuple[Region, ...] = Field(
        default=(), description="regions that always stay sharp (default mode only)"
    )
    mask: tuple[Region, ...] = Field(
        default=(), description="regions reduced to a few colours, whatever the prompt"
    )

    skip: tuple[SkipRule, ...] = Field(
        default=(),
        description="when to leave a picture unfiltered: 'tiny', 'whole-scene' (the prompt is "
        "about nearly all of it), 'idle-link' (nothing waits for the bytes)",
    )
    tiny_pixels: int = Field(
        default=50_176,
        ge=0,
        le=2**31,
        description="pixels up to which a picture counts as tiny (224 x 224: one tile)",
    )
    whole_scene_share: Fraction = Field(
        default=0.9,
        description="share of untouched pixels from which on a prompt is about the whole scene",
    )

    @model_validator(mode="after")
    def _ordered(self) -> PrefilterSettings:
        if (
            self.sigma_min is not None
            and self.sigma_max is not None
            and self.sigma_min > self.sigma_max
        ):
            raise ValueError(
                f"sigma_min ({self.sigma_min} px) must not exceed sigma_max ({self.sigma_max} px)"
            )
        return self
