"""Prompt-guided image compression at the edge."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_daemon.prefilter import Prefilter, Report

__all__ = ["Prefilter", "Report"]


def __getattr__(name: str) -> Any:
    """Load the prefilter when it is first asked for: a camera's client needs none of it."""
    if name in __all__:
        return getattr(import_module("edge_daemon.prefilter"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
