"""What operators see of a daemon, and what it reuses from frame to frame."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from edge_daemon.settings.strict import Strict


class VideoSettings(Strict):
    """Cameras repeat themselves."""

    reuse: bool = Field(
        default=True, description="a tile that did not change keeps its embedding (default mode)"
    )
    change_levels: Annotated[float, Field(gt=0.0, le=255.0)] = Field(
        default=3.0,
        description="grey levels by which a patch must differ to count as changed: in colour (root "
        "mean square over its quarters), or by twice as many in texture",
    )
    cameras: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="clients whose last tiles and last sent frame are remembered",
    )


HTTP_BIND: Final = r"^([0-9.]+|\[[0-9a-fA-F:.]+\]|localhost):\d{1,5}$"
"""ADDRESS:PORT."""


class MetricsSettings(Strict):
    """The HTTP port for Prometheus and health checks."""

    bind: str | None = Field(
        default=None,
        pattern=HTTP_BIND,
        description="ADDRESS:PORT of /metrics, /healthz and /readyz; none: off",
    )


class LogSettings(Strict):
    """The log on standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="'text': key=value; 'json': one object a line"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is written"
    )
