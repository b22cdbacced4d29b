"""Everything that it takes to repeat a study."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, Final

from edge_daemon.codecs import codec_status
from edge_daemon.settings import Settings
from models.manifest import Manifest

_PACKAGES: Final = (
    "edge-daemon",
    "bjontegaard",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "scipy",
)
"""What the figures depend on."""


def facts_of(
    command: str,
    *,
    seed: int,
    settings: Settings,
    manifest: Manifest,
    codecs: Sequence[str],
    tasks: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The facts, as JSON.

    Args:
        command: The line that was typed.
        seed: Of questions, draws and examples.
        settings: `prefilter` and `prompt` are what "ours" means.
        manifest: Of the study's bundle.
        codecs: Ids.
        tasks: Each task's own facts, by its name.
        options: What else the run was told: qualities, methods, rules.
    """
    return {
        "command": command,
        "seed": seed,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cpus": os.cpu_count(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "codecs": {codec: _library(codec) for codec in codecs},
        "bundle": manifest.name,
        "notice": manifest.notice,
        "bundle_files": {name: facts.sha256 for name, facts in manifest.files.items()},
        "tasks": {name: dict(facts) for name, facts in tasks.items()},
        "options": dict(options),
        "prefilter": settings.prefilter.model_dump(mode="json", by_alias=True),
        "prompt": settings.prompt.model_dump(mode="json"),
    }


def _library(codec: str) -> str:
    status = codec_status(codec)
    return f"{status.encoder} {status.version}".strip()
