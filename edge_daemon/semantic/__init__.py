"""Meaning in a few hundred bytes, for frames of which no picture fits."""

from edge_daemon.semantic.sketch import TEXT_CODEC, sketch

__all__ = ["TEXT_CODEC", "sketch"]
