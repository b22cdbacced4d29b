"""Settings: one strict model per concern.

Every field has a default that works on one machine, a unit in its description, and bounds. Unknown
keys are errors. `edge_daemon.config` reads TOML files into these models and words the mistakes.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from edge_daemon.settings.cameras import CameraSettings, WhenFull, rules_of
from edge_daemon.settings.coding import Cheng2020Settings, RateSettings
from edge_daemon.settings.encoder import EncoderBackend, EncoderSettings
from edge_daemon.settings.gateway import GatewaySettings
from edge_daemon.settings.links import (
    CloudSettings,
    DirectorySettings,
    NatsSettings,
    SpoolSettings,
    Transport,
    UplinkSettings,
)
from edge_daemon.settings.operations import LogSettings, MetricsSettings, VideoSettings
from edge_daemon.settings.prefilter import (
    Allocation,
    PrefilterSettings,
    PromptSettings,
    Region,
    ScorerName,
    SkipRule,
)
from edge_daemon.settings.semantic import (
    ApiSettings,
    ChatSettings,
    CloudSemanticSettings,
    EndpointSettings,
    ImagesSettings,
    RefinerChatSettings,
    SemanticSettings,
)
from edge_daemon.settings.service import FrontSettings, LimitSettings, StageSettings, check_bind
from edge_daemon.settings.strict import Strict

__all__ = [
    "Allocation",
    "ApiSettings",
    "CameraSettings",
    "ChatSettings",
    "Cheng2020Settings",
    "CloudSemanticSettings",
    "CloudSettings",
    "DirectorySettings",
    "EncoderBackend",
    "EncoderSettings",
    "EndpointSettings",
    "FrontSettings",
    "GatewaySettings",
    "ImagesSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "NatsSettings",
    "PrefilterSettings",
    "PromptSettings",
    "RateSettings",
    "RefinerChatSettings",
    "Region",
    "ScorerName",
    "SemanticSettings",
    "Settings",
    "SkipRule",
    "SpoolSettings",
    "StageSettings",
    "Transport",
    "UplinkSettings",
    "VideoSettings",
    "WhenFull",
    "check_bind",
    "rules_of",
]


class Settings(Strict):
    """All of a daemon's settings; each table of the TOML file is one field."""

    bundle: str = Field(
        default="nano-icons",
        min_length=1,
        description="bundle name, or a path to a bundle",
    )
    encoder: EncoderSettings = EncoderSettings()
    codec: dict[str, Any] = Field(
        default_factory=lambda: {"id": "jpeg"},
        description="codec for frames that ask for none: its id and options",
    )
    prompt: PromptSettings = PromptSettings()
    prefilter: PrefilterSettings = PrefilterSettings()
    rate: RateSettings = RateSettings()
    semantic: SemanticSettings = SemanticSettings()
    cheng2020: Cheng2020Settings = Cheng2020Settings()
    limits: LimitSettings = LimitSettings()
    front: FrontSettings = FrontSettings()
    cameras: tuple[CameraSettings, ...] = Field(
        default=(), description="rules per client, first match first"
    )
    stages: StageSettings = StageSettings()
    video: VideoSettings = VideoSettings()
    spool: SpoolSettings = SpoolSettings()
    uplink: UplinkSettings = UplinkSettings()
    cloud: CloudSettings = CloudSettings()
    gateway: GatewaySettings = GatewaySettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _searches_do_not_look_hung(self) -> Settings:
        asks = self.semantic.refiner != "phrases" or self.semantic.generator != "none"
        if asks and self.semantic.time_s >= self.stages.stall_s:
            raise ValueError(
                f"semantic.time_s ({self.semantic.time_s:g} s) must be below stages.stall_s "
                f"({self.stages.stall_s:g} s), or a search that takes its time looks hung"
            )
        return self
