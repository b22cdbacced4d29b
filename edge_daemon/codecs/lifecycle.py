"""What codecs need of a process beside their JSON configuration: at its start, and at its end."""

from __future__ import annotations

from pathlib import Path

from edge_daemon.codecs import cheng2020
from edge_daemon.settings import Settings


def configure_codecs(settings: Settings) -> None:
    """Tell codecs where this machine keeps what they need; nothing is started."""
    wanted = settings.cheng2020
    cheng2020.configure(
        python=Path(wanted.python),
        weights=None if wanted.weights is None else Path(wanted.weights),
        threads=wanted.threads,
        timeout_s=wanted.timeout_s,
    )


def close_codecs() -> None:
    """End the processes that codecs have started; the next picture starts them again."""
    cheng2020.close()
