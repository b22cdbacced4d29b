"""Settings: one strict model per concern.

Every field has a default that works on one machine, a unit in its description, and bounds. Unknown
keys are errors. `edge_daemon.config` reads TOML files into these models and words the mistakes.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from edge_daemon.settings.coding import Cheng2020Settings, RateSettings
from edge_daemon.settings.prefilter import (
    Allocation,
    PrefilterSettings,
    PromptSettings,
    Region,
    SkipRule,
)
from edge_daemon.settings.service import (
    CloudSettings,
    FrontSettings,
    LimitSettings,
    StageSettings,
    UplinkSettings,
    check_bind,
)
from edge_daemon.settings.strict import Strict

__all__ = [
    "Allocation",
    "Cheng2020Settings",
    "CloudSettings",
    "FrontSettings",
    "LimitSettings",
    "PrefilterSettings",
    "PromptSettings",
    "RateSettings",
    "Region",
    "Settings",
    "SkipRule",
    "StageSettings",
    "UplinkSettings",
    "check_bind",
]


class Settings(Strict):
    """All of a daemon's settings; each table of the TOML file is one field."""

    bundle: str = Field(
        default="nano-icons",
        min_length=1,
        description="bundle name, or a path to a bundle",
    )
    codec: dict[str, Any] = Field(
        default_factory=lambda: {"id": "jpeg"},
        description="codec for frames that ask for none: its id and options",
    )
    prompt: PromptSettings = PromptSettings()
    prefilter: PrefilterSettings = PrefilterSettings()
    rate: RateSettings = RateSettings()
    cheng2020: Cheng2020Settings = Cheng2020Settings()
    limits: LimitSettings = LimitSettings()
    front: FrontSettings = FrontSettings()
    stages: StageSettings = StageSettings()
    uplink: UplinkSettings = UplinkSettings()
    cloud: CloudSettings = CloudSettings()
