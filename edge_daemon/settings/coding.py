"""How many bytes a frame may take, and what codecs need beside their JSON configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from edge_daemon.settings.strict import Strict

Knob = Literal["quality", "smoothing", "scale", "semantic"]


class RateSettings(Strict):
    """Bytes on a budget. Without a budget, frames are coded as they ask, once."""

    budget_bytes: int | None = Field(
        default=None,
        ge=1,
        le=2**31,
        description="bytes that a frame's envelope may take unless the frame says so",
    )
    budget_kbps: float | None = Field(
        default=None,
        gt=0.0,
        le=1e7,
        description="what one camera may send, in 1000 bits per second",
    )
    burst_s: float = Field(
        default=2.0,
        gt=0.0,
        le=3600.0,
        description="seconds of budget_kbps that a camera may save up and spend at once",
    )
    order: tuple[Knob, ...] = Field(
        default=("quality", "smoothing", "scale"),
        min_length=1,
        description="what is given up to fit a budget, first to last; 'semantic', text in the "
        "picture's place, can only be the last",
    )
    worst_quality: dict[str, int] = Field(
        default_factory=dict[str, int],
        description="per codec: the worst quality that fitting may use, in the codec's own unit",
    )
    strongest: float = Field(
        default=4.0,
        ge=1.0,
        le=64.0,
        description="most by which fitting may multiply sigma_max and offset_max",
    )
    least_scale: Annotated[float, Field(ge=1 / 64, le=1.0)] = Field(
        default=0.25, description="least share of width and height that fitting may send"
    )
    accept_share: Annotated[float, Field(ge=0.1, le=1.0)] = Field(
        default=0.85, description="share of the budget from which on a fitting frame is sent as is"
    )
    max_encodes: int = Field(
        default=6, ge=3, le=32, description="encodes that fitting one frame may take"
    )

    @field_validator("order")
    @classmethod
    def _each_once(cls, order: tuple[Knob, ...]) -> tuple[Knob, ...]:
        if len(set(order)) != len(order):
            raise ValueError(f"each of {', '.join(order)} may be named once")
        if "semantic" in order[:-1]:
            raise ValueError("nothing can follow 'semantic'")
        return order


class Cheng2020Settings(Strict):
    """The learned codec's worker process."""

    python: str = Field(
        default=".venv-cheng2020/bin/python",
        min_length=1,
        description="Python of the environment that `make cheng2020` builds",
    )
    weights: str | None = Field(
        default=None, min_length=1, description="a weights file, or a directory of them"
    )
    threads: int = Field(default=2, ge=1, le=256, description="threads of the worker")
    timeout_s: float = Field(
        default=900.0, gt=0.0, le=86_400.0, description="seconds that one picture may take"
    )
