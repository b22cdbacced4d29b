"""The front door for programs that ask a vision-language model over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_daemon.errors import SettingsError
from edge_daemon.settings.operations import HTTP_BIND
from edge_daemon.settings.semantic import ApiSettings
from edge_daemon.settings.service import is_loopback


class GatewaySettings(ApiSettings):
    """The upstream, who may come in, and what one request may cost."""

    bind: str = Field(
        default="127.0.0.1:8591", pattern=HTTP_BIND, description="ADDRESS:PORT to listen on"
    )
    allow_insecure_bind: bool = Field(
        default=False,
        description="take everybody who reaches a non-loopback address, knowingly",
    )
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description="file with what clients have to show as their key; none: nothing",
    )
    mode: Literal["prefilter", "plain"] = Field(
        default="prefilter", description="'plain': the codec alone, for comparison"
    )
    threads: int = Field(
        default=2, ge=1, le=64, description="threads that filter and encode pictures"
    )
    queue_requests: int = Field(
        default=16, ge=1, le=4096, description="requests that are taken at a time"
    )
    max_body_bytes: int = Field(
        default=32 * 2**20, ge=1024, le=2**30, description="longest request, in bytes"
    )
    max_pictures: int = Field(default=16, ge=1, le=1024, description="most pictures in a request")
    timeout_s: float = Field(
        default=300.0,
        gt=0.0,
        le=3600.0,
        description="seconds that the upstream may be silent, or a client take to read or write",
    )
    drain_s: float = Field(
        default=20.0,
        ge=0.0,
        le=3600.0,
        description="seconds that a stop waits for requests under way",
    )
    ledger: str | None = Field(
        default=None,
        min_length=1,
        description="file that gets a JSON line for each picture; none: no file",
    )


def check_gateway_bind(settings: GatewaySettings) -> None:
    """Refuse to let everybody in by accident.

    Raises:
        SettingsError: A non-loopback address, without a token and without permission.
    """
    host, _, _ = settings.bind.rpartition(":")
    if not (is_loopback(host) or settings.token_file or settings.allow_insecure_bind):
        raise SettingsError(
            "binding a non-loopback address where everybody who reaches it would be let in",
            value=settings.bind,
            remedy="name a token_file, or bind 127.0.0.1, or set allow_insecure_bind = true if the "
            "network is trusted",
        )
