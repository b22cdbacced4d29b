"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from edge_daemon.codecs import codec_status

_PACKAGES: Final = (
    "edge-daemon",
    "numpy",
    "onnxruntime",
    "openvino",
    "numba-cuda",
    "opencv-python-headless",
    "pillow",
    "av",
    "pyzmq",
)
_CPU_FACTS: Final = Path("/proc/cpuinfo")


def machine_facts(codecs: Sequence[str]) -> dict[str, Any]:
    """Machine, versions and moment, as JSON takes them.

    Args:
        codecs: Ids of those that are used.
    """
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load": load(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "codecs": {name: _encoder(name) for name in codecs},
    }


def load() -> float:
    """Processes that ran or wanted to, mean of the last minute: above 0 before a run is noise."""
    return round(os.getloadavg()[0], 2)


def _cpu_name() -> str:
    if _CPU_FACTS.exists():
        for line in _CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _encoder(codec_id: str) -> str:
    status = codec_status(codec_id)
    return f"{status.encoder} {status.version}".strip()
